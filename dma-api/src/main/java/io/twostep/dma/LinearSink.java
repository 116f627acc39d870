package io.twostep.dma;

/** Accepts entries as long as each begins where the one before it ended. */
final class LinearSink implements DmaSink {
  private long next;
  private boolean empty;

  void start() {
    empty = true;
  }

  @Override
  public boolean accept(long dmaAddress, long length, int kind) {
    boolean follows = empty || dmaAddress == next;
    next = dmaAddress + length;
    empty = false;
    return follows;
  }
}
