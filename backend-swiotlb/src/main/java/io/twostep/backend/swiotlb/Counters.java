package io.twostep.backend.swiotlb;

import java.util.concurrent.atomic.LongAdder;

/** What the devices of an address space did; counted without making threads wait for each other. */
final class Counters {
  final LongAdder bytesIn = new LongAdder();
  final LongAdder bytesOut = new LongAdder();
  final LongAdder exhausted = new LongAdder();
  final LongAdder noMemory = new LongAdder();
  final LongAdder tooLarge = new LongAdder();
  final LongAdder forbidden = new LongAdder();
  final LongAdder quota = new LongAdder();
  final LongAdder lostSlots = new LongAdder();

  void add(Counters other) {
    bytesIn.add(other.bytesIn.sum());
    bytesOut.add(other.bytesOut.sum());
    exhausted.add(other.exhausted.sum());
    noMemory.add(other.noMemory.sum());
    tooLarge.add(other.tooLarge.sum());
    forbidden.add(other.forbidden.sum());
    quota.add(other.quota.sum());
    lostSlots.add(other.lostSlots.sum());
  }
}
