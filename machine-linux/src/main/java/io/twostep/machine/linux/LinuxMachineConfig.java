package io.twostep.machine.linux;

/**
 * What a machine is made of. Immutable.
 *
 * @param memory bytes of memory to hand out
 * @param pageSize bytes of the pages that it is made of: 4 KiB, 2 MiB or 1 GiB
 * @param shared whether another process can be given the memory by descriptor
 * @param memoryFile file that holds the memory; empty for none
 * @param addressing how devices reach memory
 * @param trusted whether devices are trusted to behave
 * @param vectors most interrupt vectors of a device that are used
 * @param paths where the kernel's file systems are
 */
public record LinuxMachineConfig(
    long memory, long pageSize, boolean shared, String memoryFile, Addressing addressing, boolean trusted, int vectors, HostPaths paths) {
  /** The defaults: 256 MiB of plain memory, translated, trusted. */
  public static final LinuxMachineConfig DEFAULT =
      new LinuxMachineConfig(256L << 20, 4096, false, "", Addressing.TRANSLATED, true, 64, HostPaths.USUAL);

  /** How devices reach memory. */
  public enum Addressing {
    /** The IOMMU translates what is mapped for a request, for as long as it is mapped. For backend iommu. */
    TRANSLATED,
    /** All memory is pinned and mapped once, when a device is opened. For backend direct. */
    REGISTERED
  }

  /** Check that the parts fit. */
  public LinuxMachineConfig {
    if (memory <= 0) {
      throw new IllegalArgumentException("memory of " + memory + " bytes: it must be positive");
    }
    if (pageSize != 4096 && pageSize != 1L << 21 && pageSize != 1L << 30) {
      throw new IllegalArgumentException("pages of " + pageSize + " bytes: they are of 4K, 2M or 1G");
    }
    if (vectors < 1 || vectors > 2048) {
      throw new IllegalArgumentException(vectors + " vectors: from 1 to 2048 can be used");
    }
    if (shared && !memoryFile.isEmpty()) {
      throw new IllegalArgumentException("memory is shared by descriptor or lies in the file " + memoryFile + ", not both");
    }
  }

  /** Return a copy with another amount of memory, bytes. */
  public LinuxMachineConfig withMemory(long bytes) {
    return new LinuxMachineConfig(bytes, pageSize, shared, memoryFile, addressing, trusted, vectors, paths);
  }

  /** Return a copy with pages of another size, bytes. */
  public LinuxMachineConfig withPageSize(long bytes) {
    return new LinuxMachineConfig(memory, bytes, shared, memoryFile, addressing, trusted, vectors, paths);
  }

  /** Return a copy with another way for devices to reach memory. */
  public LinuxMachineConfig withAddressing(Addressing way) {
    return new LinuxMachineConfig(memory, pageSize, shared, memoryFile, way, trusted, vectors, paths);
  }

  /** Return a copy whose devices are trusted, or are not. */
  public LinuxMachineConfig withTrusted(boolean trust) {
    return new LinuxMachineConfig(memory, pageSize, shared, memoryFile, addressing, trust, vectors, paths);
  }

  /** Return a copy whose kernel's file systems are elsewhere. */
  public LinuxMachineConfig withPaths(HostPaths elsewhere) {
    return new LinuxMachineConfig(memory, pageSize, shared, memoryFile, addressing, trusted, vectors, elsewhere);
  }
}
