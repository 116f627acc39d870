package io.twostep.backend.p2p;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DirtyTracker;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.ForwardingOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.MemoryKind;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.dma.spi.PeerMapType;
import io.twostep.dma.spi.PeerRange;
import io.twostep.dma.spi.PhysicalMemory;
import io.twostep.dma.spi.Retirement;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/**
 * The primitives of one device that may reach peers: says how, answers what has a bus address, and passes everything else on.
 *
 * <p>A mapping by bus address owes nothing to anybody below: no unmap, no sync. Its word holds the complement of the physical address, and 0 says that it is not one.
 */
final class P2pOps extends ForwardingOps {
  private static final int REMEMBERED = 8;

  private final String device;
  private final DeviceSlot slot;
  private final PhysicalMemory memory;
  private final PathCache paths;
  private final boolean untrusted;
  private final long highest;
  private final long minAlignMask;
  private final int layer;
  private final LongAdder busMappings;
  private final LongAdder refused;
  private final Runnable detached;

  /** The latest answers. Threads race for the places and lose nothing but time: an answer is immutable, and one that is overwritten is found again below. */
  private final @Nullable Answer[] latest = new Answer[REMEMBERED];

  private int nextPlace;

  /** What was found out of a region at one generation of the topology. */
  private record Answer(MemoryRegion region, PeerRange range, long generation, PeerPath path) {}

  P2pOps(DmaOps next, AttachContext context, PathCache paths, LongAdder busMappings, LongAdder refused, Runnable detached) {
    super(next);
    device = context.device();
    slot = context.slot();
    memory = context.machine().memory();
    this.paths = paths;
    untrusted = context.untrusted();
    highest = context.highestAddress();
    minAlignMask = context.limits().minAlignMask();
    layer = context.layer();
    this.busMappings = busMappings;
    this.refused = refused;
    this.detached = detached;
  }

  @Override
  public int classify(long phys, long length) {
    MemoryRegion region = memory.regionOf(phys, length);
    Answer answer = region.kind() == MemoryKind.PEER ? answer(region) : null;
    if (answer == null) {
      return next.classify(phys, length);
    }
    PeerMapType type = answer.path.type();
    if (type == PeerMapType.NOT_SUPPORTED) {
      refused.increment();
    }
    return type.rangeKind();
  }

  /** Return nothing where bus addresses may be handed out, because no translation sees what goes through them; untrusted devices get none but to their own memory. */
  @Override
  public @Nullable DirtyTracker dirtyTracker() {
    return untrusted ? next.dirtyTracker() : null;
  }

  @Override
  public String whyUntracked() {
    return untrusted || next.dirtyTracker() == null
        ? next.whyUntracked()
        : "it may be given bus addresses of peers, and what it writes there passes no translation; attach it without the p2p layer, or have the device track";
  }

  @Override
  public String whyUnreachable(long phys, long length) {
    MemoryRegion region = memory.regionOf(phys, length);
    Answer answer = region.kind() == MemoryKind.PEER ? answer(region) : null;
    return answer == null
        ? next.whyUnreachable(phys, length)
        : answer.path.reason() + " (" + answer.range.provider().address() + "); copy through host memory";
  }

  /** Return how the device reaches a region; null if the machine does not say whose it is. */
  private @Nullable Answer answer(MemoryRegion region) {
    long generation = paths.topology().generation();
    for (Answer known : latest) {
      if (known != null && known.region == region && known.generation == generation) {
        return known;
      }
    }
    PeerRange range = region.peer();
    if (range == null) {
      return null;
    }
    Answer fresh = new Answer(region, range, generation, paths.path(slot, range.provider(), untrusted));
    int place = nextPlace;
    latest[place & (REMEMBERED - 1)] = fresh;
    nextPlace = place + 1;
    return fresh;
  }

  @Override
  public int mapInPlace(long[] phys, long[] length, int from, int to, int flags, long[] dmaAddress) {
    return next.mapInPlace(phys, length, from, to, flags, dmaAddress);
  }

  @Override
  public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
    if ((flags & MapFlags.BUS_PEER) == 0) {
      next.map(state, phys, length, flags, undo);
      return;
    }
    Answer answer = answer(memory.regionOf(phys, length));
    if (answer == null || answer.path.type() != PeerMapType.BUS_ADDRESS) {
      throw refusedPeer(Reason.PEER_UNREACHABLE, phys, length, "the way to it changed while it was mapped; map it again");
    }
    long busAddress = phys + answer.range.busOffset();
    if (Long.compareUnsigned(busAddress + (length - 1), highest) > 0) {
      throw refusedPeer(
          Reason.OUT_OF_REACH, phys, length, "its bus address 0x%x lies beyond 0x%x, the highest that device and bus pass".formatted(busAddress, highest));
    }
    if (((busAddress ^ phys) & minAlignMask) != 0) {
      throw refusedPeer(
          Reason.MISALIGNED, phys, length, "its bus address 0x%x does not keep the low bits 0x%x that the device needs".formatted(busAddress, minAlignMask));
    }
    state.dmaAddress = busAddress;
    state.length = length;
    state.allocated = 0;
    state.flags = flags;
    state.word(layer, ~phys);
    busMappings.increment();
  }

  private DmaMappingException refusedPeer(Reason reason, long phys, long length, String why) {
    return new DmaMappingException(reason, "%s: cannot map peer memory 0x%x+0x%x: %s".formatted(device, phys, length, why));
  }

  @Override
  public void unmap(MappingState state, Retirement batch) {
    if (state.word(layer) == 0) {
      next.unmap(state, batch);
    } else {
      state.word(layer, 0);
    }
  }

  @Override
  public void sync(MappingState state, long offset, long length, int toward) {
    if (state.word(layer) == 0) {
      next.sync(state, offset, length, toward);
    }
  }

  @Override
  public long physOf(MappingState state, long offset) {
    long word = state.word(layer);
    return word == 0 ? next.physOf(state, offset) : ~word + offset;
  }

  @Override
  public void close() {
    try {
      next.close();
    } finally {
      detached.run();
    }
  }
}
