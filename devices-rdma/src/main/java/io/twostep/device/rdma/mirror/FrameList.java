package io.twostep.device.rdma.mirror;

import java.util.Arrays;

/** Frames that are given back together, once nobody uses them any more. */
final class FrameList {
  private int[] frames = new int[16];
  private int count;

  void add(int frame) {
    if (count == frames.length) {
      frames = Arrays.copyOf(frames, count * 2);
    }
    frames[count++] = frame;
  }

  int count() {
    return count;
  }

  /** Take one share off each. */
  void release(FramePool pool) {
    pool.release(frames, count);
    count = 0;
  }
}
