package io.twostep.device.nvme.model;

import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.function.UnaryOperator;

/**
 * The parameters of a controller model. Immutable; {@link #DEFAULT} with {@link #with} makes others.
 *
 * @param serial serial number, up to 20 characters
 * @param model model number, up to 40 characters
 * @param doorbellStride CAP.DSTRD: doorbells are 4 << stride bytes apart, 0 to 12
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
  public static final NvmeModelConfig DEFAULT = new Builder().build();

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
    WRITE_DATA
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
  public NvmeModelConfig with(UnaryOperator<Builder> changes) {
    return changes.apply(new Builder(this)).build();
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

  /** Parameters being changed. */
  public static final class Builder {
    private String serial = "TWOSTEP0001";
    private String model = "Twostep NVMe model";
    private int doorbellStride = 0;
    private int pageSizeMin = 4096;
    private int pageSizeMax = 65536;
    private int mdts = 9;
    private int queueEntries = 1024;
    private int ioQueues = 8;
    private int vectors = 9;
    private SglSupport sgl = SglSupport.BYTE;
    private boolean sglBitBucket = true;
    private boolean sglLonger = false;
    private boolean metadataSgl = true;
    private int cmbBar = 2;
    private long cmbOffset = 0L;
    private long cmbSize = 0L;
    private Set<CmbUse> cmbUses = Set.copyOf(EnumSet.allOf(CmbUse.class));
    private long hmbPreferred = 0L;
    private long hmbMinimum = 0L;
    private long hmbMinDescriptor = 0L;
    private int hmbMaxDescriptors = 0;
    private boolean shadowDoorbells = true;
    private boolean writeCache = true;
    private boolean losesUnflushed = false;
    private Set<OptionalCommand> commands = Set.copyOf(EnumSet.allOf(OptionalCommand.class));
    private int writeZeroesLimit = 0;
    private int verifyLimit = 0;
    private int dsmRanges = 0;
    private int dsmRangeBlocks = 0;
    private boolean dsmReadsWholeBuffer = false;
    private int asyncEventLimit = 3;
    private int abortLimit = 3;
    private int retryDelay1 = 0;
    private int retryDelay2 = 0;
    private int retryDelay3 = 0;
    private int readyTimeoutUnits = 20;
    private long readyNanos = 0L;
    private long shutdownNanos = 0L;
    private boolean subsystemReset = true;
    private boolean registers32Only = false;
    private boolean strict = true;
    private List<NamespaceConfig> namespaces = List.of(NamespaceConfig.ofMemory(1L << 21, 512));

    private Builder() {}

    private Builder(NvmeModelConfig from) {
      serial = from.serial;
      model = from.model;
      doorbellStride = from.doorbellStride;
      pageSizeMin = from.pageSizeMin;
      pageSizeMax = from.pageSizeMax;
      mdts = from.mdts;
      queueEntries = from.queueEntries;
      ioQueues = from.ioQueues;
      vectors = from.vectors;
      sgl = from.sgl;
      sglBitBucket = from.sglBitBucket;
      sglLonger = from.sglLonger;
      metadataSgl = from.metadataSgl;
      cmbBar = from.cmbBar;
      cmbOffset = from.cmbOffset;
      cmbSize = from.cmbSize;
      cmbUses = from.cmbUses;
      hmbPreferred = from.hmbPreferred;
      hmbMinimum = from.hmbMinimum;
      hmbMinDescriptor = from.hmbMinDescriptor;
      hmbMaxDescriptors = from.hmbMaxDescriptors;
      shadowDoorbells = from.shadowDoorbells;
      writeCache = from.writeCache;
      losesUnflushed = from.losesUnflushed;
      commands = from.commands;
      writeZeroesLimit = from.writeZeroesLimit;
      verifyLimit = from.verifyLimit;
      dsmRanges = from.dsmRanges;
      dsmRangeBlocks = from.dsmRangeBlocks;
      dsmReadsWholeBuffer = from.dsmReadsWholeBuffer;
      asyncEventLimit = from.asyncEventLimit;
      abortLimit = from.abortLimit;
      retryDelay1 = from.retryDelay1;
      retryDelay2 = from.retryDelay2;
      retryDelay3 = from.retryDelay3;
      readyTimeoutUnits = from.readyTimeoutUnits;
      readyNanos = from.readyNanos;
      shutdownNanos = from.shutdownNanos;
      subsystemReset = from.subsystemReset;
      registers32Only = from.registers32Only;
      strict = from.strict;
      namespaces = from.namespaces;
    }

    /** Set serial number, up to 20 characters. */
    public Builder serial(String value) {
      serial = value;
      return this;
    }

    /** Set model number, up to 40 characters. */
    public Builder model(String value) {
      model = value;
      return this;
    }

    /** Set CAP.DSTRD: doorbells are 4 << stride bytes apart, 0 to 12. */
    public Builder doorbellStride(int value) {
      doorbellStride = value;
      return this;
    }

    /** Set smallest memory page, a power of two from 4 KiB to 128 MiB. */
    public Builder pageSizeMin(int value) {
      pageSizeMin = value;
      return this;
    }

    /** Set largest memory page, a power of two from 4 KiB to 128 MiB. */
    public Builder pageSizeMax(int value) {
      pageSizeMax = value;
      return this;
    }

    /** Set largest transfer as a power of two of the smallest page; 0 for no limit. */
    public Builder mdts(int value) {
      mdts = value;
      return this;
    }

    /** Set most entries of a queue, 2 to 65536. */
    public Builder queueEntries(int value) {
      queueEntries = value;
      return this;
    }

    /** Set I/O queue pairs granted, 1 to 1024. */
    public Builder ioQueues(int value) {
      ioQueues = value;
      return this;
    }

    /** Set interrupt vectors, 1 to 2048. */
    public Builder vectors(int value) {
      vectors = value;
      return this;
    }

    /** Set SGLs: none, dword or byte aligned. */
    public Builder sgl(SglSupport value) {
      sgl = value;
      return this;
    }

    /** Set whether reads may throw data away. */
    public Builder sglBitBucket(boolean value) {
      sglBitBucket = value;
      return this;
    }

    /** Set whether an SGL may be longer than the data. */
    public Builder sglLonger(boolean value) {
      sglLonger = value;
      return this;
    }

    /** Set whether metadata may be described by an SGL. */
    public Builder metadataSgl(boolean value) {
      metadataSgl = value;
      return this;
    }

    /** Set BAR of the controller memory buffer, 2 to 5. */
    public Builder cmbBar(int value) {
      cmbBar = value;
      return this;
    }

    /** Set where the controller memory buffer begins in its BAR, in bytes, a multiple of 4 KiB. */
    public Builder cmbOffset(long value) {
      cmbOffset = value;
      return this;
    }

    /** Set size of the controller memory buffer, a multiple of 4 KiB; 0 for none. */
    public Builder cmbSize(long value) {
      cmbSize = value;
      return this;
    }

    /** Set what may be placed in the controller memory buffer. */
    public Builder cmbUses(Set<CmbUse> value) {
      cmbUses = value;
      return this;
    }

    /** Set host memory buffer that the controller would like, in bytes, a multiple of 4 KiB; 0 for none. */
    public Builder hmbPreferred(long value) {
      hmbPreferred = value;
      return this;
    }

    /** Set least host memory buffer that is of use, in bytes, a multiple of 4 KiB. */
    public Builder hmbMinimum(long value) {
      hmbMinimum = value;
      return this;
    }

    /** Set least bytes of one piece of the host memory buffer, a multiple of 4 KiB; 0 for any. */
    public Builder hmbMinDescriptor(long value) {
      hmbMinDescriptor = value;
      return this;
    }

    /** Set most pieces of the host memory buffer; 0 for any number. */
    public Builder hmbMaxDescriptors(int value) {
      hmbMaxDescriptors = value;
      return this;
    }

    /** Set whether doorbell buffer config is supported. */
    public Builder shadowDoorbells(boolean value) {
      shadowDoorbells = value;
      return this;
    }

    /** Set whether a volatile write cache is reported. */
    public Builder writeCache(boolean value) {
      writeCache = value;
      return this;
    }

    /** Set whether a loss of power takes back what was not flushed. */
    public Builder losesUnflushed(boolean value) {
      losesUnflushed = value;
      return this;
    }

    /** Set optional I/O commands supported. */
    public Builder commands(Set<OptionalCommand> value) {
      commands = value;
      return this;
    }

    /** Set largest write zeroes as a power of two of the smallest page; 0 for no limit. */
    public Builder writeZeroesLimit(int value) {
      writeZeroesLimit = value;
      return this;
    }

    /** Set largest verify as a power of two of the smallest page; 0 for no limit. */
    public Builder verifyLimit(int value) {
      verifyLimit = value;
      return this;
    }

    /** Set most dataset management ranges of a command, to 255; 0 for 256. */
    public Builder dsmRanges(int value) {
      dsmRanges = value;
      return this;
    }

    /** Set most blocks of a dataset management range; 0 for no limit. */
    public Builder dsmRangeBlocks(int value) {
      dsmRangeBlocks = value;
      return this;
    }

    /** Set whether dataset management reads 4096 bytes whatever the range count. */
    public Builder dsmReadsWholeBuffer(boolean value) {
      dsmReadsWholeBuffer = value;
      return this;
    }

    /** Set asynchronous event requests that may be outstanding, less one. */
    public Builder asyncEventLimit(int value) {
      asyncEventLimit = value;
      return this;
    }

    /** Set aborts that may be outstanding, less one. */
    public Builder abortLimit(int value) {
      abortLimit = value;
      return this;
    }

    /** Set CRDT1 in units of 100 ms. */
    public Builder retryDelay1(int value) {
      retryDelay1 = value;
      return this;
    }

    /** Set CRDT2 in units of 100 ms. */
    public Builder retryDelay2(int value) {
      retryDelay2 = value;
      return this;
    }

    /** Set CRDT3 in units of 100 ms. */
    public Builder retryDelay3(int value) {
      retryDelay3 = value;
      return this;
    }

    /** Set CAP.TO in units of 500 ms, 1 to 255. */
    public Builder readyTimeoutUnits(int value) {
      readyTimeoutUnits = value;
      return this;
    }

    /** Set time from enable to ready, and from disable to not ready. */
    public Builder readyNanos(long value) {
      readyNanos = value;
      return this;
    }

    /** Set time that a shutdown takes. */
    public Builder shutdownNanos(long value) {
      shutdownNanos = value;
      return this;
    }

    /** Set whether NSSR is supported. */
    public Builder subsystemReset(boolean value) {
      subsystemReset = value;
      return this;
    }

    /** Set whether 64-bit register accesses are refused. */
    public Builder registers32Only(boolean value) {
      registers32Only = value;
      return this;
    }

    /** Set whether reserved bits and unused pointers must be zero. */
    public Builder strict(boolean value) {
      strict = value;
      return this;
    }

    /** Set namespaces 1, 2 and so on. */
    public Builder namespaces(List<NamespaceConfig> value) {
      namespaces = value;
      return this;
    }

    /** Set the namespaces. */
    public Builder namespaces(NamespaceConfig... values) {
      return namespaces(List.of(values));
    }

    NvmeModelConfig build() {
      return new NvmeModelConfig(
          serial,
          model,
          doorbellStride,
          pageSizeMin,
          pageSizeMax,
          mdts,
          queueEntries,
          ioQueues,
          vectors,
          sgl,
          sglBitBucket,
          sglLonger,
          metadataSgl,
          cmbBar,
          cmbOffset,
          cmbSize,
          cmbUses,
          hmbPreferred,
          hmbMinimum,
          hmbMinDescriptor,
          hmbMaxDescriptors,
          shadowDoorbells,
          writeCache,
          losesUnflushed,
          commands,
          writeZeroesLimit,
          verifyLimit,
          dsmRanges,
          dsmRangeBlocks,
          dsmReadsWholeBuffer,
          asyncEventLimit,
          abortLimit,
          retryDelay1,
          retryDelay2,
          retryDelay3,
          readyTimeoutUnits,
          readyNanos,
          shutdownNanos,
          subsystemReset,
          registers32Only,
          strict,
          namespaces);
    }
  }
}
