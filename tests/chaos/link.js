'use strict';
/* Several proxies that fail together: the links of one instance to all servers of a store. */

class Link {
  constructor(proxies) {
    this.proxies = proxies;
  }
  each(method, ...args) {
    for (const proxy of this.proxies) proxy[method](...args);
  }
  cut() { this.each('cut'); }
  delay(ms) { this.each('delay', ms); }
  hold(name) { this.each('hold', name); }
  release() { this.each('release'); }
  swallow(way) { this.each('swallow', way); }
  refuse(on) { this.each('refuse', on); }
  rewrite(rules) {
    for (const proxy of this.proxies) proxy.rewrite = rules;
  }
}

module.exports = { Link };
