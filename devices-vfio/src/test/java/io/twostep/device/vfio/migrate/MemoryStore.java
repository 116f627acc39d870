package io.twostep.device.vfio.migrate;

import java.io.IOException;

/** An ownership record in memory that outlives both sides, and fails on demand before or after it changed. */
final class MemoryStore implements OwnershipStore {
  private Ownership now = Ownership.INITIAL;
  private int failBefore;
  private int failAfter;

  /** Let the n-th change from now on fail, before or after it happened. */
  void failChange(int nth, boolean happened) {
    failBefore = happened ? 0 : nth;
    failAfter = happened ? nth : 0;
  }

  @Override
  public Ownership read() {
    return now;
  }

  @Override
  public boolean compareAndSet(Ownership expected, Ownership next) throws IOException {
    if (failBefore > 0 && --failBefore == 0) {
      throw new IOException("the record could not be reached");
    }
    if (!now.equals(expected)) {
      return false;
    }
    now = next;
    if (failAfter > 0 && --failAfter == 0) {
      throw new IOException("no answer from where the record is");
    }
    return true;
  }
}
