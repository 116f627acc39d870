package io.twostep.backend.debug;

import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.ForwardingOps;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;
import org.jspecify.annotations.Nullable;

/** A layer below the checker that lets a test act while a teardown is under way, after the terminal's part of it, and answer addresses of its own. */
final class TeardownHook implements LayerBackend {
  /** Runs once, at the end of the next teardown. */
  @Nullable Runnable next;

  /** What map answers instead of the terminal's address. */
  @Nullable Long address;

  @Override
  public String name() {
    return "hook";
  }

  @Override
  public DmaOps attach(AttachContext context, DmaOps below) {
    return new HookedOps(below);
  }

  @Override
  public void close() {}

  private void run() {
    Runnable hook = next;
    next = null;
    if (hook != null) {
      hook.run();
    }
  }

  private final class HookedOps extends ForwardingOps {
    HookedOps(DmaOps below) {
      super(below);
    }

    @Override
    public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
      super.map(state, phys, length, flags, undo);
      Long mine = address;
      if (mine != null) {
        state.dmaAddress = mine;
      }
    }

    @Override
    public void unmap(MappingState state, Retirement batch) {
      super.unmap(state, batch);
      run();
    }

    @Override
    public void release(MappingState state, Retirement batch) {
      super.release(state, batch);
      run();
    }
  }
}
