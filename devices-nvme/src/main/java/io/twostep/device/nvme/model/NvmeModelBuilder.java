package io.twostep.device.nvme.model;

import io.twostep.device.nvme.model.NvmeModelConfig.CmbUse;
import io.twostep.device.nvme.model.NvmeModelConfig.OptionalCommand;
import io.twostep.device.nvme.model.NvmeModelConfig.SglSupport;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** Parameters of a controller model that are being changed; see {@link NvmeModelConfig#with}. */
public final class NvmeModelBuilder {
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

  NvmeModelBuilder() {}

  NvmeModelBuilder(NvmeModelConfig from) {
    serial = from.serial();
    model = from.model();
    doorbellStride = from.doorbellStride();
    pageSizeMin = from.pageSizeMin();
    pageSizeMax = from.pageSizeMax();
    mdts = from.mdts();
    queueEntries = from.queueEntries();
    ioQueues = from.ioQueues();
    vectors = from.vectors();
    sgl = from.sgl();
    sglBitBucket = from.sglBitBucket();
    sglLonger = from.sglLonger();
    metadataSgl = from.metadataSgl();
    cmbBar = from.cmbBar();
    cmbOffset = from.cmbOffset();
    cmbSize = from.cmbSize();
    cmbUses = from.cmbUses();
    hmbPreferred = from.hmbPreferred();
    hmbMinimum = from.hmbMinimum();
    hmbMinDescriptor = from.hmbMinDescriptor();
    hmbMaxDescriptors = from.hmbMaxDescriptors();
    shadowDoorbells = from.shadowDoorbells();
    writeCache = from.writeCache();
    losesUnflushed = from.losesUnflushed();
    commands = from.commands();
    writeZeroesLimit = from.writeZeroesLimit();
    verifyLimit = from.verifyLimit();
    dsmRanges = from.dsmRanges();
    dsmRangeBlocks = from.dsmRangeBlocks();
    dsmReadsWholeBuffer = from.dsmReadsWholeBuffer();
    asyncEventLimit = from.asyncEventLimit();
    abortLimit = from.abortLimit();
    retryDelay1 = from.retryDelay1();
    retryDelay2 = from.retryDelay2();
    retryDelay3 = from.retryDelay3();
    readyTimeoutUnits = from.readyTimeoutUnits();
    readyNanos = from.readyNanos();
    shutdownNanos = from.shutdownNanos();
    subsystemReset = from.subsystemReset();
    registers32Only = from.registers32Only();
    strict = from.strict();
    namespaces = from.namespaces();
  }

  /** Set serial number, up to 20 characters. */
  public NvmeModelBuilder serial(String value) {
    serial = value;
    return this;
  }

  /** Set model number, up to 40 characters. */
  public NvmeModelBuilder model(String value) {
    model = value;
    return this;
  }

  /** Set CAP.DSTRD: doorbells are {@code 4 << stride} bytes apart, 0 to 12. */
  public NvmeModelBuilder doorbellStride(int value) {
    doorbellStride = value;
    return this;
  }

  /** Set smallest memory page, a power of two from 4 KiB to 128 MiB. */
  public NvmeModelBuilder pageSizeMin(int value) {
    pageSizeMin = value;
    return this;
  }

  /** Set largest memory page, a power of two from 4 KiB to 128 MiB. */
  public NvmeModelBuilder pageSizeMax(int value) {
    pageSizeMax = value;
    return this;
  }

  /** Set largest transfer as a power of two of the smallest page; 0 for no limit. */
  public NvmeModelBuilder mdts(int value) {
    mdts = value;
    return this;
  }

  /** Set most entries of a queue, 2 to 65536. */
  public NvmeModelBuilder queueEntries(int value) {
    queueEntries = value;
    return this;
  }

  /** Set I/O queue pairs granted, 1 to 1024. */
  public NvmeModelBuilder ioQueues(int value) {
    ioQueues = value;
    return this;
  }

  /** Set interrupt vectors, 1 to 2048. */
  public NvmeModelBuilder vectors(int value) {
    vectors = value;
    return this;
  }

  /** Set SGLs: none, dword or byte aligned. */
  public NvmeModelBuilder sgl(SglSupport value) {
    sgl = value;
    return this;
  }

  /** Set whether reads may throw data away. */
  public NvmeModelBuilder sglBitBucket(boolean value) {
    sglBitBucket = value;
    return this;
  }

  /** Set whether an SGL may be longer than the data. */
  public NvmeModelBuilder sglLonger(boolean value) {
    sglLonger = value;
    return this;
  }

  /** Set whether metadata may be described by an SGL. */
  public NvmeModelBuilder metadataSgl(boolean value) {
    metadataSgl = value;
    return this;
  }

  /** Set BAR of the controller memory buffer, 2 to 5. */
  public NvmeModelBuilder cmbBar(int value) {
    cmbBar = value;
    return this;
  }

  /** Set where the controller memory buffer begins in its BAR, in bytes, a multiple of 4 KiB. */
  public NvmeModelBuilder cmbOffset(long value) {
    cmbOffset = value;
    return this;
  }

  /** Set size of the controller memory buffer, a multiple of 4 KiB; 0 for none. */
  public NvmeModelBuilder cmbSize(long value) {
    cmbSize = value;
    return this;
  }

  /** Set what may be placed in the controller memory buffer. */
  public NvmeModelBuilder cmbUses(Set<CmbUse> value) {
    cmbUses = value;
    return this;
  }

  /** Set host memory buffer that the controller would like, in bytes, a multiple of 4 KiB; 0 for none. */
  public NvmeModelBuilder hmbPreferred(long value) {
    hmbPreferred = value;
    return this;
  }

  /** Set least host memory buffer that is of use, in bytes, a multiple of 4 KiB. */
  public NvmeModelBuilder hmbMinimum(long value) {
    hmbMinimum = value;
    return this;
  }

  /** Set least bytes of one piece of the host memory buffer, a multiple of 4 KiB; 0 for any. */
  public NvmeModelBuilder hmbMinDescriptor(long value) {
    hmbMinDescriptor = value;
    return this;
  }

  /** Set most pieces of the host memory buffer; 0 for any number. */
  public NvmeModelBuilder hmbMaxDescriptors(int value) {
    hmbMaxDescriptors = value;
    return this;
  }

  /** Set whether doorbell buffer config is supported. */
  public NvmeModelBuilder shadowDoorbells(boolean value) {
    shadowDoorbells = value;
    return this;
  }

  /** Set whether a volatile write cache is reported. */
  public NvmeModelBuilder writeCache(boolean value) {
    writeCache = value;
    return this;
  }

  /** Set whether a loss of power takes back what was not flushed. */
  public NvmeModelBuilder losesUnflushed(boolean value) {
    losesUnflushed = value;
    return this;
  }

  /** Set optional I/O commands supported. */
  public NvmeModelBuilder commands(Set<OptionalCommand> value) {
    commands = value;
    return this;
  }

  /** Set largest write zeroes as a power of two of the smallest page; 0 for no limit. */
  public NvmeModelBuilder writeZeroesLimit(int value) {
    writeZeroesLimit = value;
    return this;
  }

  /** Set largest verify as a power of two of the smallest page; 0 for no limit. */
  public NvmeModelBuilder verifyLimit(int value) {
    verifyLimit = value;
    return this;
  }

  /** Set most dataset management ranges of a command, to 255; 0 for 256. */
  public NvmeModelBuilder dsmRanges(int value) {
    dsmRanges = value;
    return this;
  }

  /** Set most blocks of a dataset management range; 0 for no limit. */
  public NvmeModelBuilder dsmRangeBlocks(int value) {
    dsmRangeBlocks = value;
    return this;
  }

  /** Set whether dataset management reads 4096 bytes whatever the range count. */
  public NvmeModelBuilder dsmReadsWholeBuffer(boolean value) {
    dsmReadsWholeBuffer = value;
    return this;
  }

  /** Set asynchronous event requests that may be outstanding, less one. */
  public NvmeModelBuilder asyncEventLimit(int value) {
    asyncEventLimit = value;
    return this;
  }

  /** Set aborts that may be outstanding, less one. */
  public NvmeModelBuilder abortLimit(int value) {
    abortLimit = value;
    return this;
  }

  /** Set CRDT1 in units of 100 ms. */
  public NvmeModelBuilder retryDelay1(int value) {
    retryDelay1 = value;
    return this;
  }

  /** Set CRDT2 in units of 100 ms. */
  public NvmeModelBuilder retryDelay2(int value) {
    retryDelay2 = value;
    return this;
  }

  /** Set CRDT3 in units of 100 ms. */
  public NvmeModelBuilder retryDelay3(int value) {
    retryDelay3 = value;
    return this;
  }

  /** Set CAP.TO in units of 500 ms, 1 to 255. */
  public NvmeModelBuilder readyTimeoutUnits(int value) {
    readyTimeoutUnits = value;
    return this;
  }

  /** Set time from enable to ready, and from disable to not ready. */
  public NvmeModelBuilder readyNanos(long value) {
    readyNanos = value;
    return this;
  }

  /** Set time that a shutdown takes. */
  public NvmeModelBuilder shutdownNanos(long value) {
    shutdownNanos = value;
    return this;
  }

  /** Set whether NSSR is supported. */
  public NvmeModelBuilder subsystemReset(boolean value) {
    subsystemReset = value;
    return this;
  }

  /** Set whether 64-bit register accesses are refused. */
  public NvmeModelBuilder registers32Only(boolean value) {
    registers32Only = value;
    return this;
  }

  /** Set whether reserved bits and unused pointers must be zero. */
  public NvmeModelBuilder strict(boolean value) {
    strict = value;
    return this;
  }

  /** Set namespaces 1, 2 and so on. */
  public NvmeModelBuilder namespaces(List<NamespaceConfig> value) {
    namespaces = value;
    return this;
  }

  /** Set the namespaces. */
  public NvmeModelBuilder namespaces(NamespaceConfig... values) {
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
