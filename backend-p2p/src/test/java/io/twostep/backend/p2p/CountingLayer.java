package io.twostep.backend.p2p;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.ForwardingOps;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;
import java.util.function.LongConsumer;

/** A layer below p2p that counts calls, can fail the n-th, and notes whether memory was synced that is a peer's. */
final class CountingLayer implements LayerBackend {
  int maps;
  int reserves;
  int links;
  int publishes;
  int unmaps;
  int releases;

  /** Calls until one fails; 0 for never. */
  int failIn;

  LongConsumer synced = phys -> {};

  /** Run before what was linked is made visible. */
  Runnable publishing = () -> {};

  /** Run before anything is torn down. */
  Runnable teardown = () -> {};

  @Override
  public String name() {
    return "counting";
  }

  void clear() {
    maps = 0;
    reserves = 0;
    links = 0;
    publishes = 0;
    unmaps = 0;
    releases = 0;
  }

  private void hit() {
    if (failIn > 0 && --failIn == 0) {
      throw new DmaMappingException(Reason.BACKEND, "failed by order of the test");
    }
  }

  @Override
  public DmaOps attach(AttachContext context, DmaOps next) {
    return new Ops(next);
  }

  @Override
  public void close() {}

  private final class Ops extends ForwardingOps {
    Ops(DmaOps next) {
      super(next);
    }

    @Override
    public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
      if ((flags & MapFlags.BUS_PEER) != 0) {
        throw new AssertionError("a bus address came down");
      }
      hit();
      maps++;
      super.map(state, phys, length, flags, undo);
    }

    @Override
    public void mapGathered(MappingState state, long[] phys, long[] length, int count, int flags, Retirement undo) {
      hit();
      maps++;
      super.mapGathered(state, phys, length, count, flags, undo);
    }

    @Override
    public void reserve(MappingState state, long offsetInGranule, long length, long alignment, long highest, int flags) {
      hit();
      reserves++;
      super.reserve(state, offsetInGranule, length, alignment, highest, flags);
    }

    @Override
    public void link(MappingState state, long offset, long phys, long length, int flags, Retirement undo) {
      hit();
      links++;
      super.link(state, offset, phys, length, flags, undo);
    }

    @Override
    public void linkRun(MappingState state, long offset, long[] phys, long[] length, int from, int to, int flags, Retirement undo) {
      hit();
      links++;
      super.linkRun(state, offset, phys, length, from, to, flags, undo);
    }

    @Override
    public void publish(MappingState state, long offset, long length, Retirement undo) {
      hit();
      publishes++;
      publishing.run();
      super.publish(state, offset, length, undo);
    }

    @Override
    public void unmap(MappingState state, Retirement batch) {
      unmaps++;
      teardown.run();
      super.unmap(state, batch);
    }

    @Override
    public void release(MappingState state, Retirement batch) {
      releases++;
      teardown.run();
      super.release(state, batch);
    }

    @Override
    public void sync(MappingState state, long offset, long length, int toward) {
      synced.accept(physOf(state, offset));
      super.sync(state, offset, length, toward);
    }
  }
}
