package io.twostep.dma.fake;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.RangeKind;
import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.MemoryKind;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.dma.spi.TerminalBackend;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Map;
import java.util.Set;

/** What the fake terminals share: one space for each address space, attach counts, and the refusal of what they must never be handed. */
public abstract class FakeTerminal implements TerminalBackend {
  final Faults faults;
  private int attached;
  private int closed;

  FakeTerminal(Faults faults) {
    this.faults = faults;
  }

  /** Return how many ops were made. */
  public int attached() {
    return attached;
  }

  /** Return how many ops were closed. */
  public int closed() {
    return closed;
  }

  /** Return how many granules are taken in all spaces. */
  public abstract int granulesUsed();

  /** Return the device's side of an address space. */
  public abstract DeviceView view(AddressSpace space);

  abstract DmaOps makeOps(AttachContext context);

  @Override
  public final DmaOps attach(AttachContext context) {
    faults.hit("attach");
    attached++;
    return makeOps(context);
  }

  @Override
  public void close() {}

  /** Ops that check what a mapper must have checked. */
  abstract class Ops implements DmaOps {
    final AttachContext context;

    /** States that were used and not forgotten; handles are made and closed by any thread. */
    private final Set<MappingState> states = Collections.synchronizedSet(Collections.newSetFromMap(new IdentityHashMap<>()));

    private boolean isClosed;

    Ops(AttachContext context) {
      this.context = context;
    }

    @Override
    public final void close() {
      if (isClosed) {
        throw new AssertionError("ops closed twice");
      }
      isClosed = true;
      closed++;
      if (!states.isEmpty()) {
        throw new AssertionError(states.size() + " states were used and never forgotten");
      }
    }

    /** Note that a state is used. */
    final void used(MappingState state) {
      states.add(state);
    }

    @Override
    public final void forget(MappingState state) {
      requireOpen();
      states.remove(state);
    }

    final void requireOpen() {
      if (isClosed) {
        throw new AssertionError("ops used after close");
      }
    }

    @Override
    public String device() {
      return context.device();
    }

    @Override
    public final int classify(long phys, long length) {
      return context.machine().memory().regionOf(phys, length).kind() == MemoryKind.RAM
          ? RangeKind.LOCAL
          : RangeKind.UNREACHABLE;
    }

    final void requireMemory(long phys, long length, int flags) {
      requireOpen();
      MemoryRegion region = context.machine().memory().regionOf(phys, length);
      boolean expected = region.kind() == MemoryKind.RAM || (flags & MapFlags.PEER) != 0;
      if (!expected || region.kind() == MemoryKind.ABSENT) {
        throw new AssertionError("handed " + region);
      }
      if ((flags & MapFlags.OWNED) == 0 && region.pins() == 0) {
        throw new AssertionError("memory that nobody holds");
      }
    }

    final DmaMappingException refuse(Reason reason, String what) {
      return new DmaMappingException(reason, context.device() + ": " + what);
    }

    void requireInside(MappingState state, long offset, long length) {
      if (offset < 0 || length <= 0 || length > state.length - offset) {
        throw new AssertionError("range outside the window was let through");
      }
    }
  }

  static <S> Map<AddressSpace, S> spaces() {
    return new IdentityHashMap<>();
  }
}
