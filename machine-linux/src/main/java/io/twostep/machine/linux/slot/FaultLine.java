package io.twostep.machine.linux.slot;

import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.FaultRecord;
import io.twostep.dma.spi.FaultRecord.Cause;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Reads what the kernel logs of an access that an IOMMU refused: Intel's words, and AMD's, of kernels from 5.10 on. Pure. */
final class FaultLine {
  private static final Pattern INTEL =
      Pattern.compile("DMAR: \\[DMA (Read|Write)[^]]*] Request device \\[([0-9a-f:.]+)] fault addr (?:0x)?([0-9a-f]+) \\[fault reason (?:0x)?([0-9a-f]+)]");

  /** The device stands inside the event where no driver has it, else before everything, behind the name of its driver. */
  private static final Pattern AMD =
      Pattern.compile("(?:\\S+ ([0-9a-f:.]+): )?AMD-Vi: Event logged \\[IO_PAGE_FAULT (?:device=([0-9a-f:.]+) )?domain=0x[0-9a-f]+ address=0x([0-9a-f]+) flags=0x([0-9a-f]+)]");

  /** In AMD's flags: the entry is there, and does not permit the access. */
  private static final int PRESENT = 0x10;

  /** In AMD's flags: a write. */
  private static final int WRITE = 0x20;

  private FaultLine() {}

  /** Read one record of the log; null if it is about something else. */
  static @Nullable FaultRecord parse(String record) {
    Matcher intel = INTEL.matcher(record);
    if (intel.find()) {
      return new FaultRecord(
          device(intel.group(2)), Long.parseUnsignedLong(intel.group(3), 16), intel.group(1).equals("Write"), cause(Integer.parseInt(intel.group(4), 16)));
    }
    Matcher amd = AMD.matcher(record);
    if (!amd.find() || (amd.group(1) == null && amd.group(2) == null)) {
      return null;
    }
    int flags = Integer.parseInt(amd.group(4), 16);
    return new FaultRecord(
        device(amd.group(2) == null ? amd.group(1) : amd.group(2)),
        Long.parseUnsignedLong(amd.group(3), 16),
        (flags & WRITE) != 0,
        (flags & PRESENT) != 0 ? Cause.PERMISSION : Cause.NOT_PRESENT);
  }

  /** Some kernels leave the segment out where there is only one. */
  private static DeviceAddress device(String text) {
    return new DeviceAddress(text.length() == "00:00.0".length() ? "0000:" + text : text);
  }

  /** Reasons of VT-d, section 7.2.3: an absent entry is one that permits neither reads nor writes. */
  private static Cause cause(int reason) {
    return switch (reason) {
      case 0x01, 0x02 -> Cause.BLOCKED;
      case 0x04 -> Cause.BEYOND_WIDTH;
      case 0x05, 0x06 -> Cause.NOT_PRESENT;
      default -> Cause.MALFORMED_TABLE;
    };
  }
}
