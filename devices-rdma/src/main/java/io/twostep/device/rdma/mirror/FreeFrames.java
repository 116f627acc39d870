package io.twostep.device.rdma.mirror;

import java.util.Arrays;

/** Free frames of one size, last given back first. */
final class FreeFrames {
  private int[] frames = new int[64];
  private int count;

  boolean isEmpty() {
    return count == 0;
  }

  void push(int frame) {
    if (count == frames.length) {
      frames = Arrays.copyOf(frames, count * 2);
    }
    frames[count++] = frame;
  }

  int pop() {
    return frames[--count];
  }
}
