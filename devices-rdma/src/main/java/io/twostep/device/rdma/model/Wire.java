package io.twostep.device.rdma.model;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * A cable with two ends, which mistreats packets by seed. Thread-safe.
 *
 * <p>It has no clock: a packet is there as soon as it is sent, and overtakes at most those that wait. It wakes nobody by itself, because who sends holds the lock
 * of one machine and who receives needs that of another: {@link #deliver}, called without either, does.
 */
public final class Wire {
  private static final int LONGEST_OVERTAKING = 8;

  private final Lane[] lanes;

  /** Create a wire. */
  public Wire(WireFaults faults, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    lanes = new Lane[] {new Lane(faults, random.split()), new Lane(faults, random.split())};
  }

  /** Return the only end of a wire that leads back to where it comes from. */
  public static WireEnd loopback(WireFaults faults, long seed) {
    Lane lane = new Lane(faults, new SplittableRandom(seed));
    return new WireEnd(lane, lane, () -> {});
  }

  /** Return one of the ends, 0 or 1. */
  public WireEnd end(int index) {
    return new WireEnd(lanes[index], lanes[1 - index], () -> {});
  }

  /** Wake those for whom packets wait. */
  public void deliver() {
    lanes[0].deliver();
    lanes[1].deliver();
  }

  /** Return how many packets were lost, doubled, moved or damaged so far. */
  public long mistreated() {
    return lanes[0].mistreated() + lanes[1].mistreated();
  }

  /** One direction. */
  static final class Lane {
    private WireFaults faults;
    private SplittableRandom random;
    private final List<MemorySegment> waiting = new ArrayList<>();
    private Runnable listener = () -> {};
    private long mistreated;
    private boolean closed;

    Lane(WireFaults faults, SplittableRandom random) {
      this.faults = faults;
      this.random = random;
    }

    synchronized void listen(Runnable to) {
      listener = to;
    }

    void deliver() {
      Runnable call;
      synchronized (this) {
        if (waiting.isEmpty()) {
          return;
        }
        call = listener;
      }
      call.run();
    }

    synchronized void mistreat(WireFaults by, SplittableRandom drawn) {
      faults = by;
      random = drawn;
    }

    /** Somebody is at the receiving end. */
    synchronized void open() {
      closed = false;
    }

    /** Nobody is left at the receiving end: what is sent there is gone. */
    synchronized void close() {
      closed = true;
      waiting.clear();
      listener = () -> {};
    }

    synchronized void send(MemorySegment packet) {
      if (closed || strikes(faults.loss())) {
        return;
      }
      put(packet);
      if (strikes(faults.duplication())) {
        put(packet);
      }
    }

    private void put(MemorySegment packet) {
      MemorySegment arriving = packet;
      if (strikes(faults.truncation())) {
        arriving = arriving.asSlice(0, random.nextLong(arriving.byteSize()));
      }
      if (strikes(faults.corruption()) && arriving.byteSize() > 0) {
        arriving = flipped(arriving);
      }
      int overtaken = strikes(faults.reordering()) ? random.nextInt(Math.min(waiting.size(), LONGEST_OVERTAKING) + 1) : 0;
      waiting.add(waiting.size() - overtaken, arriving);
    }

    private MemorySegment flipped(MemorySegment packet) {
      byte[] bytes = packet.toArray(ValueLayout.JAVA_BYTE);
      bytes[random.nextInt(bytes.length)] ^= (byte) (1 << random.nextInt(Byte.SIZE));
      return MemorySegment.ofArray(bytes);
    }

    private boolean strikes(double probability) {
      boolean hit = probability > 0 && random.nextDouble() < probability;
      mistreated += hit ? 1 : 0;
      return hit;
    }

    synchronized @Nullable MemorySegment poll() {
      return waiting.isEmpty() ? null : waiting.removeFirst();
    }

    synchronized boolean isEmpty() {
      return waiting.isEmpty();
    }

    synchronized long mistreated() {
      return mistreated;
    }
  }
}
