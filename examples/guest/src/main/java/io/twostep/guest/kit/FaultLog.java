package io.twostep.guest.kit;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What the emulated IOMMU did, as the emulator tells it: lines that are written before the device goes on. No device reports refused accesses by itself, and the kernel's log leaves most of many out.
 *
 * <p>A translation that is missing is a fault. One that the IOMMU remembers is a hit, and refuses without a fault what its entry does not permit.
 */
final class FaultLog {
  private static final Pattern HIT = Pattern.compile("vtd_iotlb_page_hit .*iova 0x(\\p{XDigit}+) slpte 0x(\\p{XDigit}+)");
  private static final long READABLE = 1;
  private static final long WRITABLE = 2;
  private static final long PAGE = -4096;

  private final Path file;

  /** Read a file that only ever grows; one that is not there is empty. */
  FaultLog(Path file) {
    this.file = file;
  }

  /** Return how much was told until now. */
  long position() {
    try {
      return Files.exists(file) ? Files.size(file) : 0;
    } catch (IOException e) {
      throw untold(e);
    }
  }

  /** Tell whether any access was refused since {@code position}, within a range where translations were hit. */
  boolean refusedSince(long position, long dmaAddress, long length, boolean write) {
    byte[] told = new byte[(int) (position() - position)];
    try (RandomAccessFile log = new RandomAccessFile(file.toFile(), "r")) {
      log.seek(position);
      log.readFully(told);
    } catch (IOException e) {
      throw untold(e);
    }
    String text = new String(told, StandardCharsets.US_ASCII);
    return text.contains("vtd_dmar_fault") || text.lines().anyMatch(line -> isRefused(line, dmaAddress, length, write ? WRITABLE : READABLE));
  }

  private static boolean isRefused(String line, long dmaAddress, long length, long needed) {
    Matcher hit = HIT.matcher(line);
    if (!hit.find()) {
      return false;
    }
    long page = Long.parseUnsignedLong(hit.group(1), 16) & PAGE;
    boolean inside = page - (dmaAddress & PAGE) >= 0 && page - (dmaAddress + length - 1) <= 0;
    return inside && (Long.parseUnsignedLong(hit.group(2), 16) & needed) == 0;
  }

  private UncheckedIOException untold(IOException e) {
    return new UncheckedIOException(file + ": what the IOMMU refuses cannot be told; run by './twostep guest-test'", e);
  }
}
