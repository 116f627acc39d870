package io.twostep.device.nvme;

import io.twostep.dma.spi.Setting;
import io.twostep.dma.spi.Settings;
import java.util.List;
import java.util.ServiceLoader;
import java.util.TreeSet;
import java.util.function.Consumer;

/**
 * How a controller is driven.
 *
 * @param ioQueues I/O queue pairs to ask for; the controller may grant fewer
 * @param queueDepth entries of each I/O queue, 2 to 4096; one stays empty; the controller may want fewer
 * @param completion how completions are found
 * @param shadowDoorbells whether to use shadow doorbells where the controller has them
 * @param cmbQueues whether submission queues go into the controller's memory buffer where it takes them
 * @param cmbAddress the DMA address at which the controller is told to find its memory buffer, a multiple of 4096; 0 for the buffer's bus address
 * @param hostMemory the most bytes of host memory that the controller may borrow for itself; 0 for none
 * @param sglThreshold average bytes of a range from which an SGL is preferred to PRPs; 0 for only where PRPs cannot describe a request
 * @param maxTransfer the most bytes of one command; 0 for what controller and mapping layer like best
 * @param pageSize the controller page wanted, bytes; the nearest the controller has is used
 * @param retries how often a command that may be retried is
 * @param ioTimeoutNanos how long an I/O command may take before it is aborted, and then again before the controller is reset
 * @param adminTimeoutNanos how long an admin command may take before the controller is reset
 * @param requestMapper how the memory of requests is mapped
 */
public record NvmeConfig(
    int ioQueues,
    int queueDepth,
    Completion completion,
    boolean shadowDoorbells,
    boolean cmbQueues,
    long cmbAddress,
    long hostMemory,
    long sglThreshold,
    long maxTransfer,
    long pageSize,
    int retries,
    long ioTimeoutNanos,
    long adminTimeoutNanos,
    RequestMapper requestMapper) {
  /** How completions are found. */
  public enum Completion {
    /** By whoever waits or polls; who waits looks again and again. */
    POLLED,
    /** By interrupt, and by whoever polls; who waits sleeps until the interrupt. */
    INTERRUPT
  }

  /** One queue pair of 128 entries, polled; retries and timeouts as other systems have them. */
  public static final NvmeConfig DEFAULT =
      new NvmeConfig(
          1, 128, Completion.POLLED, true, true, 0, 128L << 20, 32768, 0, 4096, 5, 30_000_000_000L, 60_000_000_000L, RequestMapper.twoStep());

  private static final long MILLISECOND = 1_000_000;

  public NvmeConfig {
    require(ioQueues >= 0 && ioQueues <= 0xfffe, "io-queues", ioQueues);
    require(queueDepth >= 2 && queueDepth <= 4096, "queue-depth", queueDepth);
    require((cmbAddress & 4095) == 0, "cmb-address", cmbAddress);
    require(hostMemory >= 0, "host-memory", hostMemory);
    require(sglThreshold >= 0, "sgl-threshold", sglThreshold);
    require(maxTransfer >= 0, "max-transfer", maxTransfer);
    require(pageSize >= 4096 && Long.bitCount(pageSize) == 1 && pageSize <= 1L << 27, "page-size", pageSize);
    require(retries >= 0, "retries", retries);
    require(ioTimeoutNanos > 0, "io-timeout", ioTimeoutNanos);
    require(adminTimeoutNanos > 0, "admin-timeout", adminTimeoutNanos);
  }

  /** Return every setting, with its default and meaning. */
  static List<Setting> settings() {
    return List.of(
        new Setting("io-queues", "1", "I/O queue pairs to ask for; the controller may grant fewer"),
        new Setting("queue-depth", "128", "entries of each I/O queue, 2 to 4096; one stays empty"),
        new Setting("completion", "polled", "how completions are found: polled or interrupt"),
        new Setting("shadow-doorbells", "true", "use shadow doorbells where the controller has them"),
        new Setting("cmb-queues", "true", "put submission queues into the controller's memory buffer where it takes them"),
        new Setting(
            "cmb-address",
            "0",
            "DMA address at which the controller is told to find its memory buffer, where it will reach nothing else; 0 for the buffer's bus address"),
        new Setting("host-memory", "128M", "most host memory that the controller may borrow for itself, where it asks for some; 0 for none"),
        new Setting(
            "sgl-threshold", "32K", "average bytes of a range from which an SGL is preferred to PRPs; 0 for only where PRPs cannot do"),
        new Setting("max-transfer", "0", "most bytes of one command; 0 for what controller and mapping layer like best"),
        new Setting("page-size", "4K", "controller page wanted; the nearest the controller has is used"),
        new Setting("retries", "5", "how often a command that may be retried is"),
        new Setting("io-timeout", "30000", "milliseconds until an I/O command is aborted, and again until the controller is reset"),
        new Setting("admin-timeout", "60000", "milliseconds until an admin command leads to a reset"),
        new Setting("mapping", "two-step", "how request memory is mapped: two-step, or the name of another RequestMapper service"));
  }

  /**
   * Read the settings of the {@code nvme} driver plugin.
   *
   * @throws IllegalArgumentException naming the setting that is wrong
   */
  public static NvmeConfig of(Settings settings) {
    return new NvmeConfig(
        settings.number("io-queues", 0, 0xfffe),
        settings.number("queue-depth", 2, 4096),
        settings.choice("completion", Completion.class),
        settings.flag("shadow-doorbells"),
        settings.flag("cmb-queues"),
        settings.number("cmb-address"),
        settings.bytes("host-memory"),
        settings.bytes("sgl-threshold"),
        settings.bytes("max-transfer"),
        settings.bytes("page-size"),
        settings.number("retries", 0, 1000),
        settings.number("io-timeout", 1, Integer.MAX_VALUE) * MILLISECOND,
        settings.number("admin-timeout", 1, Integer.MAX_VALUE) * MILLISECOND,
        requestMapper(settings.text("mapping")));
  }

  private static RequestMapper requestMapper(String name) {
    TreeSet<String> names = new TreeSet<>();
    names.add(RequestMapper.twoStep().name());
    if (name.equals(RequestMapper.twoStep().name())) {
      return RequestMapper.twoStep();
    }
    for (RequestMapper mapper : ServiceLoader.load(RequestMapper.class)) {
      if (mapper.name().equals(name)) {
        return mapper;
      }
      names.add(mapper.name());
    }
    throw new IllegalArgumentException("setting 'mapping' of nvme is '" + name + "'; it must be one of " + names);
  }

  private static void require(boolean condition, String name, long value) {
    if (!condition) {
      throw new IllegalArgumentException("nvme: " + name + " must not be " + value);
    }
  }

  /** Return a copy with another {@link #ioQueues}. */
  public NvmeConfig withIoQueues(int queues) {
    return with(draft -> draft.ioQueues = queues);
  }

  /** Return a copy with another {@link #queueDepth}. */
  public NvmeConfig withQueueDepth(int depth) {
    return with(draft -> draft.queueDepth = depth);
  }

  /** Return a copy with another {@link #completion}. */
  public NvmeConfig withCompletion(Completion how) {
    return with(draft -> draft.completion = how);
  }

  /** Return a copy with other {@link #shadowDoorbells}. */
  public NvmeConfig withShadowDoorbells(boolean use) {
    return with(draft -> draft.shadowDoorbells = use);
  }

  /** Return a copy with other {@link #cmbQueues}. */
  public NvmeConfig withCmbQueues(boolean use) {
    return with(draft -> draft.cmbQueues = use);
  }

  /** Return a copy with another {@link #cmbAddress}. */
  public NvmeConfig withCmbAddress(long address) {
    return with(draft -> draft.cmbAddress = address);
  }

  /** Return a copy with another {@link #hostMemory}. */
  public NvmeConfig withHostMemory(long bytes) {
    return with(draft -> draft.hostMemory = bytes);
  }

  /** Return a copy with another {@link #sglThreshold}. */
  public NvmeConfig withSglThreshold(long bytes) {
    return with(draft -> draft.sglThreshold = bytes);
  }

  /** Return a copy with another {@link #maxTransfer}. */
  public NvmeConfig withMaxTransfer(long bytes) {
    return with(draft -> draft.maxTransfer = bytes);
  }

  /** Return a copy with another {@link #pageSize}. */
  public NvmeConfig withPageSize(long bytes) {
    return with(draft -> draft.pageSize = bytes);
  }

  /** Return a copy with other {@link #retries}. */
  public NvmeConfig withRetries(int count) {
    return with(draft -> draft.retries = count);
  }

  /** Return a copy with other timeouts, nanoseconds. */
  public NvmeConfig withTimeouts(long ioNanos, long adminNanos) {
    return with(
        draft -> {
          draft.ioTimeoutNanos = ioNanos;
          draft.adminTimeoutNanos = adminNanos;
        });
  }

  /** Return a copy with another {@link #requestMapper}. */
  public NvmeConfig withRequestMapper(RequestMapper mapper) {
    return with(draft -> draft.requestMapper = mapper);
  }

  private NvmeConfig with(Consumer<Draft> change) {
    Draft draft = new Draft(this);
    change.accept(draft);
    return draft.build();
  }

  /** A copy being changed. */
  private static final class Draft {
    private int ioQueues;
    private int queueDepth;
    private Completion completion;
    private boolean shadowDoorbells;
    private boolean cmbQueues;
    private long cmbAddress;
    private long hostMemory;
    private long sglThreshold;
    private long maxTransfer;
    private long pageSize;
    private int retries;
    private long ioTimeoutNanos;
    private long adminTimeoutNanos;
    private RequestMapper requestMapper;

    Draft(NvmeConfig from) {
      ioQueues = from.ioQueues;
      queueDepth = from.queueDepth;
      completion = from.completion;
      shadowDoorbells = from.shadowDoorbells;
      cmbQueues = from.cmbQueues;
      cmbAddress = from.cmbAddress;
      hostMemory = from.hostMemory;
      sglThreshold = from.sglThreshold;
      maxTransfer = from.maxTransfer;
      pageSize = from.pageSize;
      retries = from.retries;
      ioTimeoutNanos = from.ioTimeoutNanos;
      adminTimeoutNanos = from.adminTimeoutNanos;
      requestMapper = from.requestMapper;
    }

    NvmeConfig build() {
      return new NvmeConfig(
          ioQueues,
          queueDepth,
          completion,
          shadowDoorbells,
          cmbQueues,
          cmbAddress,
          hostMemory,
          sglThreshold,
          maxTransfer,
          pageSize,
          retries,
          ioTimeoutNanos,
          adminTimeoutNanos,
          requestMapper);
    }
  }
}
