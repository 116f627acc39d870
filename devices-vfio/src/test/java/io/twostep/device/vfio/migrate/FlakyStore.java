package io.twostep.device.vfio.migrate;

import java.io.IOException;

/** A record that cannot be reached now and then: before a change, or before the answer to it. */
final class FlakyStore implements OwnershipStore {
  private final OwnershipStore store;
  private int failBefore;
  private int failAfter;
  private int failRead;

  FlakyStore(OwnershipStore store) {
    this.store = store;
  }

  /** Let the n-th change from now on fail, before or after it happened. */
  void failChange(int nth, boolean happened) {
    failBefore = happened ? 0 : nth;
    failAfter = happened ? nth : 0;
  }

  /** Let the n-th read from now on fail. */
  void failRead(int nth) {
    failRead = nth;
  }

  /** Tell whether nothing is left to fail. */
  boolean hasFailed() {
    return failBefore == 0 && failAfter == 0 && failRead == 0;
  }

  @Override
  public Ownership read() throws IOException {
    if (failRead > 0 && --failRead == 0) {
      throw new IOException("the record could not be read");
    }
    return store.read();
  }

  @Override
  public boolean compareAndSet(Ownership expected, Ownership next) throws IOException {
    if (failBefore > 0 && --failBefore == 0) {
      throw new IOException("the record could not be reached");
    }
    boolean changed = store.compareAndSet(expected, next);
    if (changed && failAfter > 0 && --failAfter == 0) {
      throw new IOException("no answer from where the record is");
    }
    return changed;
  }
}
