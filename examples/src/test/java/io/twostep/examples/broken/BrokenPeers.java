package io.twostep.examples.broken;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.RangeKind;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.MemoryKind;
import io.twostep.dma.spi.PeerRange;
import io.twostep.dma.spi.Retirement;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Set;

/** Mistakes about memory of other devices. */
final class BrokenPeers {
  private BrokenPeers() {}

  private abstract static class Peers extends Healthy {
    Peers(DmaOps next, AttachContext context) {
      super(next, context);
    }

    final boolean isPeer(long phys, long length) {
      return context.machine().memory().regionOf(phys, length).kind() == MemoryKind.PEER;
    }
  }

  /** Adds the offset in the BAR twice. */
  static final class MissesThePlace extends Peers {
    MissesThePlace(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
      next.map(state, phys, length, flags, undo);
      if (isPeer(phys, length)) {
        state.dmaAddress += length;
      }
    }
  }

  static final class SeesNoDifference extends Peers {
    SeesNoDifference(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public int classify(long phys, long length) {
      return isPeer(phys, length) ? RangeKind.LOCAL : next.classify(phys, length);
    }
  }

  static final class SendsAllThroughTheHost extends Peers {
    SendsAllThroughTheHost(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public int classify(long phys, long length) {
      int kind = next.classify(phys, length);
      return kind == RangeKind.BUS_PEER ? RangeKind.BRIDGE_PEER : kind;
    }
  }

  /** Leaves translations of a peer where they are, because its memory does not go away. */
  static final class LeavesPeersMapped extends Peers {
    private MappingState left = new MappingState(0);

    LeavesPeersMapped(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
      next.map(state, phys, length, flags, undo);
      if (isPeer(phys, length)) {
        left = state;
      }
    }

    @Override
    public void unmap(MappingState state, Retirement batch) {
      if (state != left) {
        next.unmap(state, batch);
      }
    }
  }

  /** Asks the device whether it is done with a peer, before anything is taken down: one that was stopped does not answer, nor does a peer that is gone. */
  static final class AsksTheDevice extends Peers {
    private final Set<MappingState> peers = Collections.newSetFromMap(new IdentityHashMap<>());

    AsksTheDevice(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
      next.map(state, phys, length, flags, undo);
      if (isPeer(phys, length)) {
        peers.add(state);
        state.flags |= MapFlags.NEEDS_UNMAP;
      }
    }

    @Override
    public void unmap(MappingState state, Retirement batch) {
      if (peers.remove(state)) {
        throw new DmaMappingException(Reason.DETACHED, "the device does not answer");
      }
      next.unmap(state, batch);
    }
  }

  /** Gives bus addresses to everybody, trusted or not. */
  static final class AsksNobodysTrust extends Peers {
    AsksNobodysTrust(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public int classify(long phys, long length) {
      return isPeer(phys, length) ? RangeKind.BUS_PEER : next.classify(phys, length);
    }

    @Override
    public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
      PeerRange peer = context.machine().memory().regionOf(phys, length).peer();
      if (peer == null) {
        next.map(state, phys, length, flags, undo);
      } else {
        state.dmaAddress = peer.busAddress() + (phys - peer.phys());
        state.length = length;
        state.flags = 0;
      }
    }
  }
}
