package io.twostep.examples.rdma;

/** A range of a host's process that data moves through, in slots, and how its adapter knows it. */
final class Side {
  final RdmaHost host;
  final long start;
  final Slots slots;
  final Registration registration;

  Side(RdmaHost host, long start, int count, Registration registration) {
    this.host = host;
    this.start = start;
    this.registration = registration;
    slots = new Slots(count);
  }

  long length() {
    return (long) slots.count() * Slots.BYTES;
  }

  long address(int slot) {
    return start + (long) slot * Slots.BYTES;
  }

  /** Let go of a slot that data has moved through. */
  void free(int slot) {
    registration.released(slot);
    slots.free(slot);
  }
}
