package io.twostep.machine.linux.slot;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.machine.linux.HostPaths;
import io.twostep.machine.linux.pci.SysfsText;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** How much memory the kernel lets this process pin, and how much of that it has pinned: what VFIO counts, per page and per mapping. */
final class MemoryLocks {
  private static final Pattern LIMIT = Pattern.compile("Max locked memory\\s+(\\S+)");
  private static final Pattern LOCKED = Pattern.compile("VmLck:\\s+(\\d+) kB");
  private static final Pattern CAPABILITIES = Pattern.compile("CapEff:\\s+(\\p{XDigit}+)");
  private static final int CAPABILITY_IPC_LOCK = 14;

  private final Path process;

  MemoryLocks(HostPaths paths) {
    process = paths.proc().resolve("self");
  }

  /**
   * Refuse what would not be pinned.
   *
   * @throws DmaMappingException PIN_LIMIT with bytes needed and allowed
   */
  void require(String who, long length) {
    if (Long.compareUnsigned(length, allowed() - Math.min(locked(), allowed())) > 0) {
      throw new DmaMappingException(Reason.PIN_LIMIT, who + ": " + describe(length));
    }
  }

  /** Say what is needed, and what is allowed. */
  String describe(long length) {
    long locked = locked();
    long allowed = allowed();
    return "%d bytes more are needed, %d are pinned, %s are allowed; raise the limit to %d KiB (ulimit -l), or grant CAP_IPC_LOCK"
        .formatted(length, locked, allowed == Long.MAX_VALUE ? "all" : allowed, (locked + length + 1023) >>> 10);
  }

  private long allowed() {
    String capabilities = find(CAPABILITIES, "status");
    if (!capabilities.isEmpty() && (Long.parseUnsignedLong(capabilities, 16) >>> CAPABILITY_IPC_LOCK & 1) != 0) {
      return Long.MAX_VALUE;
    }
    String limit = find(LIMIT, "limits");
    return limit.isEmpty() || limit.equals("unlimited") ? Long.MAX_VALUE : Long.parseLong(limit);
  }

  private long locked() {
    String kilobytes = find(LOCKED, "status");
    return kilobytes.isEmpty() ? 0 : Long.parseLong(kilobytes) << 10;
  }

  private String find(Pattern pattern, String file) {
    Matcher matcher = pattern.matcher(SysfsText.read(process.resolve(file)));
    return matcher.find() ? matcher.group(1) : "";
  }
}
