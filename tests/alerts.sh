#!/bin/bash
# config/alerts.yaml: the rules are valid, and each alert has a case in tests/alerts_test.yaml that passes.
set -euo pipefail
cd "$(dirname "$0")/.."

promtool check rules config/alerts.yaml
promtool test rules tests/alerts_test.yaml
diff <(sed -n 's/^ *- alert: //p' config/alerts.yaml | sort) \
    <(sed -n 's/^ *alertname: //p' tests/alerts_test.yaml | sort)
