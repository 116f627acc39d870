package io.twostep.dma;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** The ranges of a request that a caller without a structure of its own adds one by one. */
final class CollectedRanges implements PhysRanges {
  private long[] phys = {};
  private long[] length = {};
  private int count;
  private int position;
  private long bytes;
  private long maxBytes;
  private int attributes;
  private @Nullable DmaDirection direction;

  void begin(long maxBytes, DmaDirection direction, int attributes) {
    clear();
    this.maxBytes = maxBytes;
    this.direction = direction;
    this.attributes = attributes;
  }

  /** Add a range; false if there are too many bytes or ranges then. */
  boolean add(long phys, long length, int maxRanges) {
    if (length > maxBytes - bytes || count >= maxRanges) {
      return false;
    }
    if (count == this.phys.length) {
      int capacity = Math.max(16, count * 2);
      this.phys = Arrays.copyOf(this.phys, capacity);
      this.length = Arrays.copyOf(this.length, capacity);
    }
    this.phys[count] = phys;
    this.length[count++] = length;
    bytes += length;
    return true;
  }

  /**
   * Return the direction given at the beginning.
   *
   * @throws IllegalStateException if there was none
   */
  DmaDirection direction(String device) {
    DmaDirection begun = direction;
    if (begun == null) {
      throw new IllegalStateException(device + ": nothing is being collected: call begin() first");
    }
    return begun;
  }

  int attributes() {
    return attributes;
  }

  void clear() {
    count = 0;
    position = 0;
    bytes = 0;
    direction = null;
  }

  @Override
  public void rewind() {
    position = 0;
  }

  @Override
  public int fill(long[] toPhys, long[] toLength) {
    int filled = Math.min(count - position, Math.min(toPhys.length, toLength.length));
    System.arraycopy(phys, position, toPhys, 0, filled);
    System.arraycopy(length, position, toLength, 0, filled);
    position += filled;
    return filled;
  }
}
