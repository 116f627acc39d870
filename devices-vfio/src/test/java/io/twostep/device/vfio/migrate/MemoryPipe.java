package io.twostep.device.vfio.migrate;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.util.Arrays;

/** Two ends of a channel in memory that takes and gives as much as a seeded hand allows, and can be cut. */
final class MemoryPipe {
  private final ByteBuffer forth;
  private final ByteBuffer back;
  private boolean cut;
  private int damagedBit = -1;
  private final int[] failing = new int[4];

  MemoryPipe(int capacity) {
    forth = ByteBuffer.allocate(capacity);
    back = ByteBuffer.allocate(capacity);
  }

  ByteChannel near() {
    return new End(back, forth);
  }

  ByteChannel far() {
    return new End(forth, back);
  }

  /** Break it: what is under way is lost. */
  void cut() {
    cut = true;
  }

  /** Change a bit of the next byte that comes out at the far end. */
  void damage(int bit) {
    damagedBit = bit;
  }

  /** Let the n-th read or write from now on at one end fail, once. */
  void fail(boolean farEnd, boolean write, int nth) {
    failing[index(farEnd, write)] = nth;
  }

  /** Tell whether nothing is left to fail. */
  boolean hasFailed() {
    return Arrays.stream(failing).allMatch(left -> left == 0);
  }

  private static int index(boolean farEnd, boolean write) {
    return (farEnd ? 2 : 0) + (write ? 1 : 0);
  }

  private void count(boolean farEnd, boolean write) throws IOException {
    int index = index(farEnd, write);
    if (failing[index] > 0 && --failing[index] == 0) {
      throw new IOException("no route");
    }
  }

  private final class End implements ByteChannel {
    private final ByteBuffer in;
    private final ByteBuffer out;

    End(ByteBuffer in, ByteBuffer out) {
      this.in = in;
      this.out = out;
    }

    @Override
    public int read(ByteBuffer target) throws IOException {
      count(in == forth, false);
      if (cut) {
        return -1;
      }
      in.flip();
      int count = Math.min(in.remaining(), target.remaining());
      target.put(target.position(), in, in.position(), count);
      target.position(target.position() + count);
      in.position(in.position() + count);
      in.compact();
      if (in == forth && count > 0 && damagedBit >= 0) {
        int at = target.position() - 1;
        target.put(at, (byte) (target.get(at) ^ (1 << damagedBit)));
        damagedBit = -1;
      }
      return count;
    }

    @Override
    public int write(ByteBuffer source) throws IOException {
      count(in == forth, true);
      if (cut) {
        throw new IOException("cut");
      }
      int count = Math.min(source.remaining(), out.remaining());
      out.put(out.position(), source, source.position(), count);
      out.position(out.position() + count);
      source.position(source.position() + count);
      return count;
    }

    @Override
    public boolean isOpen() {
      return !cut;
    }

    @Override
    public void close() {
      cut = true;
    }
  }
}
