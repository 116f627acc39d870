package io.twostep.tck;

import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.ForwardingOps;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.OpenState;
import io.twostep.dma.spi.Retirement;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;

/** A layer right below the one that is proved: remembers each state that was handed down until it hears that the state is forgotten. Thread-safe. */
final class StateWatch implements LayerBackend {
  private final OpenState open = new OpenState();
  private final IdentityHashMap<MappingState, Throwable> used = new IdentityHashMap<>();

  @Override
  public String name() {
    return "tck-states";
  }

  @Override
  public DmaOps attach(AttachContext context, DmaOps next) {
    open.requireOpen(this, context);
    return new Watching(next);
  }

  @Override
  public void close() {
    open.close();
  }

  /** Returns who first used each state that was not forgotten before its ops were closed, or has not been until now. */
  List<Throwable> unforgotten() {
    synchronized (used) {
      return new ArrayList<>(used.values());
    }
  }

  /** One device's part. */
  private final class Watching extends ForwardingOps {
    private volatile boolean closed;

    Watching(DmaOps next) {
      super(next);
    }

    private void use(MappingState state) {
      synchronized (used) {
        used.computeIfAbsent(state, first -> new Throwable("a state was first used here"));
      }
    }

    @Override
    public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
      // Nobody forgets what only asks where a unit of a window lies.
      if ((flags & MapFlags.WINDOW) == 0) {
        use(state);
      }
      next.map(state, phys, length, flags, undo);
    }

    @Override
    public int mapInPlace(long[] phys, long[] length, int from, int to, int flags, long[] dmaAddress) {
      return next.mapInPlace(phys, length, from, to, flags, dmaAddress);
    }

    @Override
    public void mapSegment(MappingState state, MemorySegment segment, int flags, Retirement undo) {
      use(state);
      next.mapSegment(state, segment, flags, undo);
    }

    @Override
    public void mapGathered(MappingState state, long[] phys, long[] length, int count, int flags, Retirement undo) {
      use(state);
      next.mapGathered(state, phys, length, count, flags, undo);
    }

    @Override
    public void reserve(MappingState state, long offsetInGranule, long length, long alignment, long highest, int flags) {
      use(state);
      next.reserve(state, offsetInGranule, length, alignment, highest, flags);
    }

    @Override
    public void forget(MappingState state) {
      if (!closed) {
        synchronized (used) {
          used.remove(state);
        }
      }
      next.forget(state);
    }

    @Override
    public void close() {
      closed = true;
      next.close();
    }
  }
}
