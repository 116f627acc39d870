package io.twostep.tck;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.PhysRanges;
import io.twostep.dma.spi.ForwardingMemory;
import io.twostep.dma.spi.PhysicalMemory;
import io.twostep.tck.FaultPlan.Call;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** Remembers where every block and every registration that is not given back came from, and fails allocations when told to. */
final class WatchedMemory extends ForwardingMemory {
  private final FaultPlan faults;
  private final Set<Held> held = new LinkedHashSet<>();

  WatchedMemory(PhysicalMemory real, FaultPlan faults) {
    super(real);
    this.faults = faults;
  }

  /** Something to be given back, and the trace of who took it. */
  private static class Held {
    final Throwable origin;

    Held(String what) {
      origin = new Throwable(what + " was taken here");
    }
  }

  /** Returns how many bytes of blocks are allocated. */
  long bytesHeld() {
    synchronized (held) {
      return held.stream().filter(Block.class::isInstance).mapToLong(block -> ((Block) block).length()).sum();
    }
  }

  /** Returns what was not given back; each failure has the trace of who took it. */
  List<Throwable> leaks() {
    synchronized (held) {
      List<Throwable> leaks = new ArrayList<>();
      held.forEach(one -> leaks.add(one.origin));
      return leaks;
    }
  }

  private <T extends Held> T take(T one) {
    synchronized (held) {
      held.add(one);
    }
    return one;
  }

  private void giveBack(Held one) {
    synchronized (held) {
      held.remove(one);
    }
  }

  @Override
  public MemoryBlock allocate(long length, MemoryPlacement placement, long highestPhys) {
    requireFrames(length);
    return take(new Block(real.allocate(length, placement, highestPhys)));
  }

  @Override
  public MemoryBlock allocateWithin(long length, MemoryPlacement placement, long lowestPhys, long highestPhys) {
    requireFrames(length);
    return take(new Block(real.allocateWithin(length, placement, lowestPhys, highestPhys)));
  }

  private void requireFrames(long length) {
    if (faults.hits(Call.ALLOCATE)) {
      throw new DmaMappingException(Reason.NOT_BACKED, "no frames are left for 0x%x bytes: the kit says so".formatted(length));
    }
  }

  @Override
  public AutoCloseable beforeReuse(Runnable flush) {
    AutoCloseable registration = real.beforeReuse(flush);
    Held one = take(new Held("a registration for flushes before reuse"));
    return () -> {
      registration.close();
      giveBack(one);
    };
  }

  /** A block that is counted until it is closed. */
  private final class Block extends Held implements MemoryBlock {
    private final MemoryBlock block;

    Block(MemoryBlock block) {
      super("a block of 0x%x bytes".formatted(block.length()));
      this.block = block;
    }

    @Override
    public long length() {
      return block.length();
    }

    @Override
    public MemorySegment segment() {
      return block.segment();
    }

    @Override
    public PhysRanges ranges() {
      return block.ranges();
    }

    @Override
    public long phys(long offset) {
      return block.phys(offset);
    }

    @Override
    public void close() {
      block.close();
      giveBack(this);
    }
  }
}
