package io.twostep.device.rdma;

import io.twostep.device.rdma.mirror.FaultMode;
import io.twostep.device.rdma.mirror.PinBudget;
import io.twostep.device.rdma.mirror.ProcessMemory;
import io.twostep.device.rdma.umem.OnDemandSource;
import io.twostep.device.rdma.umem.PinnedUmem;
import io.twostep.device.rdma.wire.CommandLayout;
import io.twostep.device.rdma.wire.EqeLayout;
import io.twostep.device.rdma.wire.RegisterLayout;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaBuffer;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.ExportedBuffer;
import io.twostep.dma.PhysRanges;
import io.twostep.dma.spi.Closing;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Driver;
import io.twostep.dma.spi.DriverContext;
import io.twostep.dma.spi.Mmio;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * A running host channel adapter: makes domains, keys, completion queues and queue pairs. Thread-safe; has no thread of its own, so somebody must call
 * {@link #serviceFaults} while on-demand keys are in use.
 *
 * <p>What it made is closed before it. An adapter whose data a CPU would have to copy, or that does not see CPU caches, is refused: registered memory is used for long, and
 * there is no place to sync it.
 */
public final class Hca implements Driver {
  private final String name;
  private final DeviceSlot slot;
  private final Mmio registers;
  private final DmaMapper mapper;
  private final CommandChannel commands;
  private final long faultBytes;
  private final DmaBuffer eventBuffer;
  private final FaultEvents events;
  private final Map<Integer, PageFaultHandler> faultHandlers = new ConcurrentHashMap<>();
  private final Prefetch prefetch;
  private final UpdateQueue updates;
  private final KeyPool keys;
  private boolean closed;

  /** The adapter was shown to master the bus no more, for good. */
  private boolean stopped;

  /**
   * Bring an adapter up.
   *
   * @throws HcaException if it is gone, does not do DMA, or does not answer; nothing stays mapped then
   */
  public static Hca open(DriverContext context, HcaConfig config) {
    DeviceSlot slot = context.slot();
    String name = "hca " + slot.address();
    Mmio registers = slot.mmio(0);
    int capabilities = registers.read32(RegisterLayout.CAPABILITIES);
    if (capabilities == RegisterLayout.GONE) {
      throw new HcaException(name + ": the adapter does not answer: its registers read all ones");
    }
    if ((capabilities & RegisterLayout.MASTERS_BUS) == 0) {
      throw new HcaException(name + ": the adapter does not reach memory by DMA, so that no mapping would protect anything; use one that masters the bus");
    }
    DmaMapper mapper = context.attach(DeviceLimits.UNLIMITED);
    try {
      slot.busMaster(true);
      if (!mapper.limits().coherent()) {
        throw new HcaException(name + ": the adapter does not see CPU caches, and registered memory is never synced; use a coherent slot");
      }
      return new Hca(name, context, registers, mapper, config);
    } catch (RuntimeException e) {
      throw Closing.after(e, () -> slot.busMaster(false), slot::reset, mapper::close);
    }
  }

  private Hca(String name, DriverContext context, Mmio registers, DmaMapper mapper, HcaConfig config) {
    this.name = name;
    this.registers = registers;
    this.mapper = mapper;
    slot = context.slot();
    prefetch = new Prefetch(name);
    int logEvents = Integer.numberOfTrailingZeros(config.eventEntries());
    faultBytes = config.faultBytes();
    commands = new CommandChannel(name, registers, context.timers(), mapper, config.commandTimeoutNanos());
    DmaBuffer made = null;
    try {
      made = mapper.allocateCoherent((long) EqeLayout.SIZE << logEvents);
      eventBuffer = made;
      events = new FaultEvents(name, made, logEvents);
      commands.execute(
          CommandLayout.OP_CREATE_EQ,
          input -> {
            CommandLayout.BUFFER.set(input, 0, eventBuffer.dmaAddress());
            CommandLayout.LOG_ENTRIES.set(input, 0, logEvents);
          });
      updates = new UpdateQueue(this, context.timers(), config);
    } catch (RuntimeException e) {
      DmaBuffer half = made;
      throw Closing.after(e, this::stop, () -> letGo(half == null ? () -> {} : half::close, commands::close));
    }
    keys = new KeyPool(commands, updates, context.timers(), config);
  }

  /** Return its name and address, for messages. */
  public String name() {
    return name;
  }

  /** Return what maps memory for the adapter, closed with it; {@link #newLocalKey} names what is mapped. */
  public DmaMapper mapper() {
    return mapper;
  }

  CommandChannel commands() {
    return commands;
  }

  Mmio registers() {
    return registers;
  }

  /** Make a protection domain. */
  public ProtectionDomain newDomain() {
    return new ProtectionDomain(this);
  }

  /** Make a completion queue of at least {@code capacity} entries. */
  public CompletionQueue newCompletionQueue(int capacity) {
    return new CompletionQueue(this, capacity);
  }

  /** Make a queue pair of {@code depth} sends and as many receives, a power of two. */
  public QueuePair newQueuePair(ProtectionDomain domain, CompletionQueue sends, CompletionQueue receives, int depth) {
    return newQueuePair(domain, sends, receives, depth, 2);
  }

  /** Make a queue pair of {@code depth} sends of up to {@code maxSegments} data segments each, and as many receives of as many. */
  public QueuePair newQueuePair(ProtectionDomain domain, CompletionQueue sends, CompletionQueue receives, int depth, int maxSegments) {
    return new QueuePair(this, domain, sends, receives, depth, maxSegments, false);
  }

  /**
   * Register memory for good: mapped until the key is closed.
   *
   * @param start address that requests shall name its first byte by; must agree with the memory's physical address within pages
   * @param access {@link AccessFlags}
   */
  public PinnedKey register(ProtectionDomain domain, long start, PhysRanges source, int access) {
    int checked = AccessFlags.check(access);
    return new PinnedKey(this, domain, start, PinnedUmem.of(mapper, source, checked), checked);
  }

  /** Register a range of a process for good, by its own addresses: pinned, mapped, and both until the key is closed; as {@link PinnedUmem#register}. */
  public PinnedKey register(ProtectionDomain domain, ProcessMemory process, long va, long length, int access, PinBudget budget) {
    int checked = AccessFlags.check(access);
    return new PinnedKey(this, domain, va, PinnedUmem.register(mapper, process, va, length, checked, budget), checked);
  }

  /** Register addresses whose pages come and go; all are absent at first, and {@code handler} brings them in. */
  public OnDemandKey registerOnDemand(ProtectionDomain domain, long start, long length, int access, PageFaultHandler handler) {
    return new OnDemandKey(this, domain, start, length, AccessFlags.check(access), handler);
  }

  /** Register a range of a process whose pages come and go; as {@link OnDemandSource#register}. */
  public OnDemandMemory registerOnDemand(ProtectionDomain domain, OnDemandSource source, long va, long length, int access) {
    return new OnDemandMemory(this, domain, source, va, length, AccessFlags.check(access));
  }

  /** Register all of a process, whatever it maps now and later. */
  public ImplicitMemory registerAll(ProtectionDomain domain, OnDemandSource source, int access) {
    return new ImplicitMemory(this, domain, source, AccessFlags.check(access));
  }

  /**
   * Bring pages of on-demand memory in and link them before the adapter asks for them; returns when it can use them. From any thread.
   *
   * @param advice {@link FaultMode#READ} for whatever access the pages give as they are, {@link FaultMode#WRITE} to be written, {@link FaultMode#SNAPSHOT} for what is in memory only
   * @param ranges ranges of keys of {@code domain} made by {@link #registerOnDemand(ProtectionDomain, OnDemandSource, long, long, int)} or {@link #registerAll}
   * @throws IllegalArgumentException if a key is none of these, before anything is brought in; or if a range is not the key's
   * @throws io.twostep.device.rdma.mirror.PageFaultException if a page cannot be had, or may not be written; ranges before it stay
   * @throws io.twostep.dma.DmaMappingException if a page cannot be linked; ranges before it stay
   */
  public void prefetch(ProtectionDomain domain, FaultMode advice, DataSegments ranges) {
    prefetch.run(domain, advice, ranges);
  }

  Prefetch prefetch() {
    return prefetch;
  }

  /**
   * Register memory that another driver exported, until its owner takes it back, and again once it is restored.
   *
   * @param start address that requests shall name its first byte by, on a page of 4 KiB
   */
  public ExportedMemory registerExported(ProtectionDomain domain, long start, ExportedBuffer buffer, int access) {
    return new ExportedMemory(this, domain, start, buffer, AccessFlags.check(access));
  }

  /** Make one range of pieces of other keys, of any addresses and lengths. */
  public IndirectKey registerPieces(ProtectionDomain domain, long start, DataSegments pieces, int access) {
    return new IndirectKey(this, domain, start, pieces, AccessFlags.check(access));
  }

  /** Make a key that requests register and invalidate, of up to {@code pages} pages of 4 KiB. */
  public FastKey newFastKey(ProtectionDomain domain, int pages) {
    return new FastKey(this, domain, pages);
  }

  /** Make the key by which the domain's own queue pairs use memory that is mapped without being registered, by its DMA addresses. */
  public LocalDmaKey newLocalKey(ProtectionDomain domain) {
    return new LocalDmaKey(this, domain);
  }

  KeyPool keys() {
    return keys;
  }

  UpdateQueue updates() {
    return updates;
  }

  FaultEvents events() {
    return events;
  }

  void addFaults(int key, PageFaultHandler handler) {
    faultHandlers.put(key, handler);
  }

  void removeFaults(int key) {
    faultHandlers.remove(key);
  }

  /**
   * Serve the page faults that the adapter reported, and let it go on; returns how many. Also gives back keys that nobody has used for long. One thread at a time.
   *
   * @throws RuntimeException what a handler threw: its request fails, and the next call goes on behind it
   */
  public int serviceFaults() {
    int served = 0;
    for (long at = events.next(); at != FaultEvents.NONE; at = events.next()) {
      try {
        answer(at);
      } finally {
        events.answered();
      }
      served++;
    }
    keys.trim();
    return served;
  }

  private void answer(long at) {
    int token = EqeLayout.TOKEN.get(events.segment(), at);
    boolean present;
    try {
      present = serve(at, EqeLayout.WRITES.isSet(token));
    } catch (RuntimeException e) {
      throw Closing.after(e, () -> resume(token, false));
    }
    resume(token, present);
  }

  private void resume(int token, boolean present) {
    commands.execute(
        CommandLayout.OP_PAGE_FAULT_RESUME,
        input -> {
          CommandLayout.FAULT_TOKEN.set(input, 0, token);
          CommandLayout.FAULT_ERROR.set(input, 0, present ? 0 : 1);
        });
  }

  /** Serve an event. Its key may have gone since: the adapter then tries again, and finds out by itself. */
  private boolean serve(long at, boolean write) {
    PageFaultHandler handler = faultHandlers.get(EqeLayout.KEY.get(events.segment(), at));
    if (handler == null) {
      return true;
    }
    long demanded = EqeLayout.DEMANDED.get(events.segment(), at);
    long wanted = EqeLayout.LENGTH.getUnsigned(events.segment(), at);
    return handler.fault(EqeLayout.ADDRESS.get(events.segment(), at), demanded, Math.max(demanded, Math.min(wanted, faultBytes)), write);
  }

  @Override
  public void quiesce() {
    commands.execute(CommandLayout.OP_NOP, 0);
  }

  @Override
  public void resume() {}

  /**
   * Stop the adapter and give back what the driver held, each whatever became of the step before.
   *
   * @throws RuntimeException if the adapter cannot be shown to have stopped; an IOMMU keeps it from memory then, and where none translates the driver's memory is kept
   */
  @Override
  public void close() {
    if (!closed) {
      closed = true;
      new Closing().then(this::stop).then(() -> letGo(updates::abandon, eventBuffer::close, commands::close, mapper::close)).end();
    }
  }

  private void stop() {
    slot.busMaster(false);
    stopped = true;
    slot.reset();
  }

  private void letGo(Runnable... steps) {
    if (!stopped && !mapper.limits().translates()) {
      throw new DmaMappingException(Reason.QUARANTINED, name + ": cannot be shown to have stopped, so its memory is kept; reset or remove the device, and close the machine");
    }
    new Closing().thenEach(List.of(steps), Runnable::run).end();
  }
}
