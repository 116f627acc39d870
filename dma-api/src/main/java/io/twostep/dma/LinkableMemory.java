package io.twostep.dma;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MemoryKind;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.dma.spi.Misuse;

/** What memory is to the device of a handle that would link it, found out here and nowhere else; what cannot go into a window is refused. */
final class LinkableMemory {
  private LinkableMemory() {}

  /** Hold the memory of a range that goes into a window and return the flags it adds. */
  static int pin(DmaHandle handle, long phys, long length) {
    return flags(handle, handle.pins().pin(handle.stack(), phys, length), phys, length);
  }

  /** Return the flags that a range of a region adds. */
  static int flags(DmaHandle handle, MemoryRegion region, long phys, long length) {
    return region.kind() == MemoryKind.RAM ? 0 : peerFlags(handle, phys, length);
  }

  private static int peerFlags(DmaHandle handle, long phys, long length) {
    AttachedStack stack = handle.stack();
    int kind = stack.ops.classify(phys, length);
    handle.pins().found(stack, kind);
    return switch (kind) {
      case RangeKind.LOCAL -> 0;
      case RangeKind.BRIDGE_PEER -> MapFlags.PEER;
      case RangeKind.BUS_PEER -> throw busAddress(handle, phys, length);
      default -> throw unreachable(stack, phys, length);
    };
  }

  static DmaMappingException busAddress(DmaHandle handle, long phys, long length) {
    handle.refused(Misuse.BUS_ADDRESS, "link", phys, length);
    return new DmaMappingException(
        Reason.BUS_ADDRESS,
        handle.stack().device
            + ": "
            + Hex.range(phys, length)
            + " is peer memory reached by bus address and cannot be linked into a window; use a transfer");
  }

  static DmaMappingException unreachable(AttachedStack stack, long phys, long length) {
    return new DmaMappingException(
        Reason.PEER_UNREACHABLE,
        stack.device
            + ": peer memory "
            + Hex.range(phys, length)
            + " cannot be reached by this device: "
            + stack.ops.whyUnreachable(phys, length));
  }
}
