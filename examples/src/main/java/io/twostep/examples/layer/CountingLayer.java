package io.twostep.examples.layer;

import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.ForwardingOps;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.OpenState;
import io.twostep.dma.spi.Retirement;
import java.util.concurrent.atomic.LongAdder;

/** Counts the bytes of plain mappings that devices hold. */
public final class CountingLayer implements LayerBackend {
  private final LongAdder mapped = new LongAdder();
  private final OpenState open = new OpenState();

  /** Return the bytes mapped now, over all devices. */
  public long mappedBytes() {
    return mapped.sum();
  }

  @Override
  public String name() {
    return "counting";
  }

  @Override
  public DmaOps attach(AttachContext context, DmaOps next) {
    open.requireOpen(this, context);
    return new CountingOps(next, context.layer());
  }

  @Override
  public void close() {
    open.close();
  }

  /** One device's part. */
  private final class CountingOps extends ForwardingOps {
    private final int layer;

    CountingOps(DmaOps next, int layer) {
      super(next);
      this.layer = layer;
    }

    @Override
    public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
      // Without STRICT a lazy terminal would let retire run before its invalidation.
      next.map(state, phys, length, flags | MapFlags.STRICT, undo);
      state.flags |= MapFlags.NEEDS_UNMAP;
      state.word(layer, length);
      mapped.add(length);
    }

    @Override
    public void unmap(MappingState state, Retirement batch) {
      next.unmap(state, batch);
      batch.retire(Retirement.OWNER, this, state.word(layer), 0, 0);
      state.word(layer, 0);
    }

    @Override
    public void retire(int phase, long length, long b, long c) {
      mapped.add(-length);
    }
  }
}
