package io.twostep.device.nvme.model;

import java.util.List;
import java.util.Set;
import java.util.function.UnaryOperator;

/**
 * The parameters of a controller model. Immutable; {@link #DEFAULT} with {@link #with} makes others.
 *
 * @param serial serial number, up to 20 characters
 * @param model model number, up to 40 characters
 * @param doorbellStride CAP.DSTRD: doorbells are {@code 4 << stride} bytes apart, 0 to 12
 * @param pageSizeMin smallest memory page, a power of two from 4 KiB to 128 MiB
 * @param pageSizeMax largest memory page, a power of two from 4 KiB to 128 MiB
 * @param mdts largest transfer as a power of two of the smallest page; 0 for no limit
 * @param queueEntries most entries of a queue, 2 to 65536
 * @param ioQueues I/O queue pairs granted, 1 to 1024
 * @param vectors interrupt vectors, 1 to 2048
 * @param sgl SGLs: none, dword or byte aligned
 * @param sglBitBucket whether reads may throw data away
 * @param sglLonger whether an SGL may be longer than the data
 * @param metadataSgl whether metadata may be described by an SGL
 * @param cmbBar BAR of the controller memory buffer, 2 to 5
 * @param cmbOffset where the controller memory buffer begins in its BAR, in bytes, a multiple of 4 KiB
 * @param cmbSize size of the controller memory buffer, a multiple of 4 KiB; 0 for none
 * @param cmbUses what may be placed in the controller memory buffer
 * @param hmbPreferred host memory buffer that the controller would like, in bytes, a multiple of 4 KiB; 0 for none
 * @param hmbMinimum least host memory buffer that is of use, in bytes, a multiple of 4 KiB
 * @param hmbMinDescriptor least bytes of one piece of the host memory buffer, a multiple of 4 KiB; 0 for any
 * @param hmbMaxDescriptors most pieces of the host memory buffer; 0 for any number
 * @param shadowDoorbells whether doorbell buffer config is supported
 * @param writeCache whether a volatile write cache is reported
 * @param losesUnflushed whether a loss of power takes back what was not flushed; costs a copy of every block written
 * @param commands optional I/O commands supported
 * @param writeZeroesLimit largest write zeroes as a power of two of the smallest page; 0 for no limit
 * @param verifyLimit largest verify as a power of two of the smallest page; 0 for no limit
 * @param dsmRanges most dataset management ranges of a command, to 255; 0 for 256
 * @param dsmRangeBlocks most blocks of a dataset management range; 0 for no limit
 * @param dsmReadsWholeBuffer whether dataset management reads 4096 bytes whatever the range count
 * @param asyncEventLimit asynchronous event requests that may be outstanding, less one
 * @param abortLimit aborts that may be outstanding, less one
 * @param retryDelay1 CRDT1 in units of 100 ms
 * @param retryDelay2 CRDT2 in units of 100 ms
 * @param retryDelay3 CRDT3 in units of 100 ms
 * @param readyTimeoutUnits CAP.TO in units of 500 ms, 1 to 255
 * @param readyNanos time from enable to ready, and from disable to not ready
 * @param shutdownNanos time that a shutdown takes
 * @param subsystemReset whether NSSR is supported
 * @param registers32Only whether 64-bit register accesses are refused
 * @param strict whether reserved bits and unused pointers must be zero
 * @param namespaces namespaces 1, 2 and so on
 */
public record NvmeModelConfig(
    String serial,
    String model,
    int doorbellStride,
    int pageSizeMin,
    int pageSizeMax,
    int mdts,
    int queueEntries,
    int ioQueues,
    int vectors,
    SglSupport sgl,
    boolean sglBitBucket,
    boolean sglLonger,
    boolean metadataSgl,
    int cmbBar,
    long cmbOffset,
    long cmbSize,
    Set<CmbUse> cmbUses,
    long hmbPreferred,
    long hmbMinimum,
    long hmbMinDescriptor,
    int hmbMaxDescriptors,
    boolean shadowDoorbells,
    boolean writeCache,
    boolean losesUnflushed,
    Set<OptionalCommand> commands,
    int writeZeroesLimit,
    int verifyLimit,
    int dsmRanges,
    int dsmRangeBlocks,
    boolean dsmReadsWholeBuffer,
    int asyncEventLimit,
    int abortLimit,
    int retryDelay1,
    int retryDelay2,
    int retryDelay3,
    int readyTimeoutUnits,
    long readyNanos,
    long shutdownNanos,
    boolean subsystemReset,
    boolean registers32Only,
    boolean strict,
    List<NamespaceConfig> namespaces) {

  /** A capable controller with one namespace of 1 GiB in memory, in blocks of 512 bytes. */
  public static final NvmeModelConfig DEFAULT = new NvmeModelBuilder().build();

  /** What SGLs a controller takes. */
  public enum SglSupport {
    /** None: PRPs only. */
    NONE,
    /** Addresses and lengths in multiples of four. */
    DWORD,
    /** Any address and length. */
    BYTE
  }

  /** What may be placed in the controller memory buffer. */
  public enum CmbUse {
    /** Submission queues. */
    SUBMISSION_QUEUES,
    /** Completion queues. */
    COMPLETION_QUEUES,
    /** PRP lists and SGL segments. */
    LISTS,
    /** Data that a read produces. */
    READ_DATA,
    /** Data that a write takes. */
    WRITE_DATA,
    /** A part of one command's data and metadata, while the rest lies elsewhere. */
    MIXED_DATA,
    /** A part of one command's lists, while the rest lies elsewhere. */
    MIXED_LISTS,
    /** Lists of a command that lies elsewhere. */
    LISTS_OF_ANY_COMMAND
  }

  /** I/O commands that a controller may lack. */
  public enum OptionalCommand {
    /** Compare. */
    COMPARE,
    /** Write uncorrectable. */
    WRITE_UNCORRECTABLE,
    /** Dataset management. */
    DATASET_MANAGEMENT,
    /** Write zeroes. */
    WRITE_ZEROES,
    /** Verify. */
    VERIFY
  }

  /** Check the parameters against each other. */
  public NvmeModelConfig {
    check(serial.length() <= 20 && model.length() <= 40, "serial has up to 20 characters, model up to 40");
    checkRange("doorbell stride", doorbellStride, 0, 12);
    check(isPage(pageSizeMin) && isPage(pageSizeMax) && pageSizeMin <= pageSizeMax,
        "page sizes must be powers of two from 4 KiB to 128 MiB");
    checkRange("MDTS", mdts, 0, 20);
    checkRange("queue entries", queueEntries, 2, 65536);
    checkRange("I/O queues", ioQueues, 1, 1024);
    checkRange("vectors", vectors, 1, 2048);
    checkRange("CMB BAR", cmbBar, 2, 5);
    check(((cmbOffset | cmbSize) & 4095) == 0 && cmbOffset >= 0 && cmbSize >= 0 && cmbSize <= 1L << 30,
        "CMB offset and size must be multiples of 4 KiB, size up to 1 GiB");
    check(cmbOffset <= 1L << 30, "CMB offset is at most 1 GiB");
    check(((hmbPreferred | hmbMinimum | hmbMinDescriptor) & 4095) == 0,
        "host memory buffer sizes must be multiples of 4 KiB");
    check((hmbPreferred | hmbMinimum | hmbMinDescriptor) >>> 41 == 0, "host memory buffer sizes are at most 1 TiB");
    checkRange("host memory buffer descriptors", hmbMaxDescriptors, 0, 65535);
    checkRange("write zeroes limit", writeZeroesLimit, 0, 20);
    checkRange("verify limit", verifyLimit, 0, 20);
    checkRange("dataset management ranges", dsmRanges, 0, 255);
    check(dsmRangeBlocks >= 0, "dataset management range limit is negative");
    checkRange("asynchronous event limit", asyncEventLimit, 0, 255);
    checkRange("abort limit", abortLimit, 0, 255);
    checkRange("retry delay 1", retryDelay1, 0, 65535);
    checkRange("retry delay 2", retryDelay2, 0, 65535);
    checkRange("retry delay 3", retryDelay3, 0, 65535);
    checkRange("ready timeout", readyTimeoutUnits, 1, 255);
    check(readyNanos >= 0 && shutdownNanos >= 0, "times are not negative");
    cmbUses = Set.copyOf(cmbUses);
    commands = Set.copyOf(commands);
    namespaces = List.copyOf(namespaces);
  }

  /** Return a copy with changes, such as {@code config.with(c -> c.mdts(5).sgl(SglSupport.NONE))}. */
  public NvmeModelConfig with(UnaryOperator<NvmeModelBuilder> changes) {
    return changes.apply(new NvmeModelBuilder(this)).build();
  }

  /** Return CAP.MPSMIN. */
  int mpsMin() {
    return Integer.numberOfTrailingZeros(pageSizeMin) - 12;
  }

  /** Return CAP.MPSMAX. */
  int mpsMax() {
    return Integer.numberOfTrailingZeros(pageSizeMax) - 12;
  }

  private static boolean isPage(int size) {
    return size >= 4096 && size <= 128 << 20 && Integer.bitCount(size) == 1;
  }

  private static void check(boolean condition, String rule) {
    if (!condition) {
      throw new IllegalArgumentException(rule);
    }
  }

  private static void checkRange(String name, int value, int min, int max) {
    if (value < min || value > max) {
      throw new IllegalArgumentException(name + " must be " + min + " to " + max + ", not " + value);
    }
  }
}
