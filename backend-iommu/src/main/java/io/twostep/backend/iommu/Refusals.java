package io.twostep.backend.iommu;

import io.twostep.backend.iommu.table.TableResult;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.MemoryKind;
import io.twostep.dma.spi.PhysicalMemory;
import org.jspecify.annotations.Nullable;

/** Words what one device is refused: which range, which rule, what to do. */
final class Refusals {
  private final String device;

  Refusals(String device) {
    this.device = device;
  }

  /** Refuses what is not ordinary memory. */
  void requireMemory(PhysicalMemory memory, long phys, long length) {
    MemoryKind kind = memory.regionOf(phys, length).kind();
    if (kind == MemoryKind.RAM) {
      return;
    }
    throw kind == MemoryKind.PEER
        ? range(Reason.PEER_UNREACHABLE, phys, length, "it is a peer's memory and no layer of the stack reaches peers; add the p2p layer")
        : range(Reason.NOT_BACKED, phys, length, "it is not, or not wholly, one piece of memory of this machine; allocate from memory()");
  }

  String device() {
    return device;
  }

  DmaMappingException edges(long phys, long length, long granule, boolean untrusted) {
    return range(
        Reason.BOUNCE_FORBIDDEN,
        phys,
        length,
        "its edges are not on the granule of 0x%x, and %s; align it or add the swiotlb layer"
            .formatted(
                granule,
                untrusted
                    ? "an untrusted device must not see what shares a granule with it"
                    : "the rest of those granules is not part of the same piece of memory"));
  }

  DmaMappingException readByWriters(long phys, long length) {
    return range(
        Reason.BOUNCE_FORBIDDEN,
        phys,
        length,
        "the host lets devices read what they may write, and an untrusted device must not see what was there before; add the swiotlb layer, or map it for both directions if it may");
  }

  DmaMappingException lines(long phys, long length, String why) {
    return range(Reason.COHERENCE_REQUIRED, phys, length, "the device does not see CPU caches and " + why);
  }

  private DmaMappingException range(Reason reason, long phys, long length, String why) {
    return new DmaMappingException(reason, "%s: cannot map 0x%x+0x%x: %s".formatted(device, phys, length, why));
  }

  /** Refuses a range that found no room: for good if it is longer than all there is. The first granule is never handed out. */
  DmaMappingException noRoom(long bytes, long granule, long limit, String space) {
    if (Long.compareUnsigned(limit, granule) < 0 || Long.compareUnsigned(bytes, limit - (granule - 1)) > 0) {
      return new DmaMappingException(
          Reason.OUT_OF_BOUNDS,
          "%s: 0x%x bytes of I/O addresses do not fit at or below 0x%x, whatever is free in %s; split the request or raise the device's mask"
              .formatted(device, bytes, limit, space));
    }
    return exhausted(bytes, limit, space);
  }

  private DmaMappingException exhausted(long bytes, long limit, String space) {
    return new DmaMappingException(
        Reason.IOVA_EXHAUSTED,
        "%s: no 0x%x bytes of I/O addresses are left at or below 0x%x in %s; unmap something or raise the device's mask"
            .formatted(device, bytes, limit, space));
  }

  DmaMappingException noTablesAhead(long granule) {
    return new DmaMappingException(
        Reason.UNSUPPORTED, "%s: tables cannot be set aside for granules of 0x%x; link without".formatted(device, granule));
  }

  DmaMappingException noTablesAheadOnHost() {
    return new DmaMappingException(
        Reason.UNSUPPORTED, device + ": tables cannot be set aside, because the host keeps them and may refuse at sync; reserve without");
  }

  DmaMappingException slots(long needed, long left) {
    return new DmaMappingException(
        Reason.MAPPING_SLOTS,
        "%s: the window has %d units, each a mapping of the host, which grants %d more; use larger units or unmap something"
            .formatted(device, needed, left));
  }

  /** Says for which device and range a host refused a mapping; the host knows neither. */
  RuntimeException byHost(RuntimeException refusal, long iova, long phys, long length) {
    if (!(refusal instanceof DmaMappingException known)) {
      return refusal;
    }
    String remedy =
        switch (known.reason()) {
          case PIN_LIMIT -> "; unmap something, or raise the limit on locked memory";
          case MAPPING_SLOTS -> "; unmap something, or map fewer and longer ranges";
          default -> "";
        };
    String said = String.valueOf(known.getMessage()).replace(" [" + known.reason() + "]", "");
    return new DmaMappingException(
        known.reason(), "%s: the host did not map 0x%x+0x%x at I/O address 0x%x: %s%s".formatted(device, phys, length, iova, said, remedy), known);
  }

  DmaMappingException stuck(long iova, long length) {
    return new DmaMappingException(
        Reason.QUARANTINED,
        "%s: the host did not confirm to have unmapped all of 0x%x+0x%x; it stays taken until the device is reset"
            .formatted(device, iova, length));
  }

  /** Words what the page table answered. */
  RuntimeException table(int result, String what, long phys, long length, long iova) {
    String text = "%s: cannot %s 0x%x+0x%x at I/O address 0x%x: ".formatted(device, what, phys, length, iova);
    return switch (result) {
      case TableResult.ALREADY_LINKED ->
          new DmaMappingException(Reason.ALREADY_LINKED, text + "a granule of it is linked already; two links never share a granule; unlink first, or use a DmaTransfer");
      case TableResult.NOT_LINKED -> new DmaMappingException(Reason.NOT_LINKED, text + "a granule of it is not linked");
      case TableResult.NOT_SPLITTABLE ->
          new DmaMappingException(Reason.NOT_SPLITTABLE, text + "an edge lies inside a larger leaf; take out what one link put in");
      case TableResult.TABLE_MEMORY ->
          new DmaMappingException(Reason.TABLE_MEMORY, text + "no memory is left for page tables; free memory or raise table-memory");
      case TableResult.MISALIGNED ->
          new DmaMappingException(
              Reason.MISALIGNED, text + "both addresses must agree below the granule and the device's minimum alignment, and only the outer edges may lie off the granule");
      case TableResult.OUT_OF_REACH ->
          new DmaMappingException(Reason.OUT_OF_REACH, text + "page table entries cannot hold physical addresses that high");
      case TableResult.OUT_OF_BOUNDS ->
          new DmaMappingException(Reason.OUT_OF_BOUNDS, text + "it leaves the I/O addresses that the tables translate");
      case TableResult.NO_ACCESS -> new IllegalArgumentException(text + "neither reading nor writing was asked for");
      default -> new IllegalStateException(text + TableResult.describe(result));
    };
  }

  /** Checks that clearing what this backend itself linked went well: nothing but damaged tables makes it fail. */
  void requireCleared(int result, long first, long last, @Nullable RuntimeException earlier) {
    if (result != TableResult.OK) {
      IllegalStateException damaged =
          new IllegalStateException(
              "%s: page tables of 0x%x..0x%x are damaged: %s".formatted(device, first, last, TableResult.describe(result)));
      if (earlier != null) {
        damaged.addSuppressed(earlier);
      }
      throw damaged;
    }
  }
}
