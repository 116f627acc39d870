package io.twostep.device.vfio.migrate;

/** An ownership record in memory that outlives both sides. */
final class MemoryStore implements OwnershipStore {
  private Ownership now = Ownership.INITIAL;

  @Override
  public synchronized Ownership read() {
    return now;
  }

  @Override
  public synchronized boolean compareAndSet(Ownership expected, Ownership next) {
    if (!now.equals(expected)) {
      return false;
    }
    now = next;
    return true;
  }
}
