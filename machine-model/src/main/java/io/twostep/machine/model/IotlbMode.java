package io.twostep.machine.model;

/** How the translation hardware caches. */
public enum IotlbMode {
  /** Every access walks the tables: removals show at once, publishing is still needed. */
  OFF,
  /** Translations and table pointers are cached until they are invalidated or evicted. */
  NORMAL,
  /** Any access may be answered, by seed, with anything that was valid since the last covering invalidation. */
  ADVERSARIAL
}
