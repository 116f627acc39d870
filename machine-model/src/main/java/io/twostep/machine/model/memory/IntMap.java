package io.twostep.machine.model.memory;

import java.util.Arrays;

/** Map non-negative ints to longs without boxing: open addressing, linear probing, deletion by shifting back. Not thread-safe. */
final class IntMap {
  /** What {@link #get} and {@link #remove} return for a missing key. */
  static final long MISSING = -1L;

  private int[] keys = new int[64];
  private long[] values = new long[64];
  private int size;

  IntMap() {
    Arrays.fill(keys, -1);
  }

  int size() {
    return size;
  }

  long get(int key) {
    int at = find(key);
    return keys[at] == key ? values[at] : MISSING;
  }

  void put(int key, long value) {
    int at = find(key);
    if (keys[at] != key) {
      if (++size * 2 > keys.length) {
        grow();
        at = find(key);
      }
      keys[at] = key;
    }
    values[at] = value;
  }

  long remove(int key) {
    int at = find(key);
    if (keys[at] != key) {
      return MISSING;
    }
    long value = values[at];
    size--;
    closeGap(at);
    return value;
  }

  private void closeGap(int gap) {
    int mask = keys.length - 1;
    int hole = gap;
    for (int at = (hole + 1) & mask; keys[at] != -1; at = (at + 1) & mask) {
      int home = home(keys[at]);
      if (((at - home) & mask) >= ((at - hole) & mask)) {
        keys[hole] = keys[at];
        values[hole] = values[at];
        hole = at;
      }
    }
    keys[hole] = -1;
  }

  private int find(int key) {
    int mask = keys.length - 1;
    int at = home(key);
    while (keys[at] != -1 && keys[at] != key) {
      at = (at + 1) & mask;
    }
    return at;
  }

  private int home(int key) {
    int mixed = key * 0x9E3779B9;
    return (mixed ^ (mixed >>> 15)) & (keys.length - 1);
  }

  private void grow() {
    int[] oldKeys = keys;
    long[] oldValues = values;
    keys = new int[oldKeys.length * 2];
    values = new long[keys.length];
    Arrays.fill(keys, -1);
    for (int i = 0; i < oldKeys.length; i++) {
      if (oldKeys[i] != -1) {
        int at = find(oldKeys[i]);
        keys[at] = oldKeys[i];
        values[at] = oldValues[i];
      }
    }
  }
}
