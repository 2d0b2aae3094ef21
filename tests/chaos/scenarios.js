'use strict';
/*
 * Faults at fixed times, for what random rounds meet too seldom: {name: [[at ms, fault, lasts ms, on instance]]}. The times count from
 * when all clients work.
 */
module.exports = {
  calm: [[4000, 'clients come at once']],
  /* Its editors come back by another instance, later than its lease, within the grace. */
  'an instance dies': [
    [0, 'instance killed', 4500, 0], [0, 'clients away', 2600, 0], [5500, 'instance killed', 3000, 1], [5500, 'clients away', 2600, 1],
  ],
  'all die': [[1500, 'store killed', 700], [1500, 'all instances killed', 900]],
  /* With --store sentinel. */
  'replicas stopped': [[0, 'replicas stopped', 3000], [4500, 'replicas stopped', 3000]],
  'promotions by Sentinel': [[0, 'clean promotion'], [9000, 'forced promotion'], [18_000, 'clean promotion']],
  /* With --store cluster. */
  'masters die': [[0, 'master killed', 5000], [8000, 'master stopped', 5000], [16_000, 'lossy promotion', 3000]],
  promotions: [[0, 'clean promotion'], [4500, 'forced promotion'], [9000, 'lossy takeover'], [13_500, 'clean promotion']],
  'slots move': [
    [0, 'slot between masters', 1000], [1500, 'clients come at once'], [4500, 'slot between masters', 200], [6000, 'slot moved'],
    [9000, 'slot between masters', 3000], [10_000, 'instance killed', 1500, 0],
  ],
  'slots without keys': [
    [0, 'slot without keys', 2500], [6000, 'slot without keys', 4500], [7000, 'instance killed', 1500, 0], [13_000, 'slot without keys', 300],
    [18_000, 'slot without keys, cancelled', 1500],
  ],
  'clients die': [[0, 'clients die'], [2000, 'clients die'], [4000, 'clients come at once']],
  emptied: [[500, 'store emptied'], [4500, 'store emptied'], [8500, 'store emptied']],
  /* What one instance has not seen end, it reports as going on. */
  'given up behind a cut link': [
    [0, 'clients only hold', 4000], [200, 'store link blackholed', 3000, 0], [400, 'clients move', 0, 0], [1400, 'holders give up'],
    [2200, 'store emptied'],
  ],
  'emptied while an instance is stopped': [
    [0, 'instance stopped', 5000, 0], [700, 'store emptied'], [7000, 'instance stopped', 5000, 1], [7700, 'store emptied'],
  ],
  'killed while an instance is stopped': [[0, 'instance stopped', 6000, 0], [700, 'store killed', 800]],
  'emptied while an instance is cut off': [[0, 'store link blackholed', 5000, 0], [700, 'store emptied'], [900, 'store link half-open down', 3000, 1]],
  'emptied around cut links': [
    [0, 'client link half-open up', 3000, 0], [200, 'store link cut', 0, 1], [400, 'store emptied'], [600, 'client link cut', 0, 1],
    [1500, 'store link half-open up', 2500, 2], [2500, 'client link cut', 0, 2], [3800, 'store emptied'], [4200, 'client link half-open down', 2500, 1],
  ],
  'memory limit and killed instances': [
    [0, 'store out of memory', 2500], [300, 'instance killed', 1500, 0], [2200, 'instance killed', 2500, 1],
    [5000, 'store out of memory', 1200], [5600, 'instance killed', 1000, 2],
  ],
  'replies lost': [
    [0, 'store link replies lost', 150, 0], [700, 'store link replies lost', 150, 1], [1400, 'store link replies lost', 150, 2],
    [2100, 'store link replies lost', 150, 0], [2800, 'store link replies lost', 150, 1], [3500, 'store link replies lost', 150, 2],
    [4200, 'store link half-open down', 1500, 0],
  ],
  'replies lost, then killed': [
    [0, 'store link half-open down', 900, 0], [850, 'instance killed', 3500, 0], [5000, 'store link half-open down', 900, 1],
    [5850, 'instance killed', 3500, 1],
  ],
  'events late': [0, 1, 2, 0, 1, 2, 0, 1, 2].map((on, i) => [700 * i, 'events late', 500, on]),
  'cut off from the store': [[0, 'store link refused', 7500, 0]],
  'store refuses, clients leave': [[0, 'store link refused', 1500], [300, 'client link cut', 0, 0], [400, 'client link cut', 0, 1], [500, 'client link cut', 0, 2]],
};
