package io.twostep.device.nvme;

import io.twostep.device.nvme.host.Registers;
import io.twostep.device.nvme.host.Teardown;
import io.twostep.device.nvme.wire.AdminOpcode;
import io.twostep.device.nvme.wire.DoorbellLayout;
import io.twostep.device.nvme.wire.ErrorLogLayout;
import io.twostep.device.nvme.wire.IdentifyCommandLayout;
import io.twostep.device.nvme.wire.LogPageCommandLayout;
import io.twostep.device.nvme.wire.ShadowDoorbellLayout;
import io.twostep.device.nvme.wire.SmartLogLayout;
import io.twostep.device.nvme.wire.SqeLayout;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaBuffer;
import io.twostep.dma.DmaLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.spi.Driver;
import io.twostep.dma.spi.DriverContext;
import io.twostep.dma.spi.Interrupts;
import io.twostep.dma.spi.PhysicalMemory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A running NVMe controller: its namespaces for those who read and write blocks, its queues for those who count nanoseconds.
 *
 * <p>Thread-safe. Has no thread of its own: who waits or polls also watches deadlines, receives events and, where a command hangs, resets the controller. A reset cancels
 * what is in flight; requests with retries left go out again afterwards, and nobody notices but by the time it took.
 */
public final class NvmeController implements Driver {
  private static final Logger LOG = LoggerFactory.getLogger(NvmeController.class);

  private static final int SMALLEST_TRANSFER = 4096;
  private static final long LARGEST_TRANSFER = 8L << 20;

  /** PRP offsets must survive mapping. */
  private static final long OFFSET_MASK = 4095;

  private static final ValueLayout.OfInt LIST_ENTRY = ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final int CHANGED_NAMESPACES_SIZE = 4096;
  private static final int LIST_ENTRIES = IdentifyCommandLayout.DATA_SIZE / 4;

  private final ControllerCore core;
  private final PhysicalMemory memory;
  private final BringUp bringUp;
  private final DmaBuffer adminData;
  private final ReentrantLock lifecycle = new ReentrantLock();
  private final List<NvmeQueue> queues = new ArrayList<>();
  private final List<Integer> vectors = new ArrayList<>();

  private volatile NvmeState state = NvmeState.NEW;
  private volatile List<NvmeNamespace> namespaces = List.of();
  private volatile Consumer<NvmeEvent> eventListener = event -> {};
  private @Nullable HostMemoryLoan hostMemory;
  private @Nullable DmaBuffer shadow;
  private @Nullable DmaBuffer shadowEvents;
  private boolean quiesced;
  private boolean closed;
  private long resets;

  /**
   * Bring a controller up, with the settings of the context.
   *
   * @throws NvmeException if the controller does not start; it is stopped then and nothing stays mapped
   */
  public static NvmeController open(DriverContext context) {
    return open(context, NvmeConfig.of(context.settings()));
  }

  /** Bring a controller up; as {@link #open(DriverContext)}, with settings in code. */
  public static NvmeController open(DriverContext context, NvmeConfig config) {
    context.slot().busMaster(true);
    Registers registers = new Registers(context.slot().mmio(0));
    if (registers.isGone()) {
      throw NvmeException.ofController(
          "nvme " + context.slot().address(), NvmeErrorKind.GONE, "the controller does not answer: its registers read all ones");
    }
    DmaMapper mapper = context.attach(DeviceLimits.UNLIMITED.withMinAlignMask(OFFSET_MASK));
    NvmeController controller;
    try {
      controller = new NvmeController(context, mapper, registers, config);
    } catch (RuntimeException e) {
      mapper.close();
      throw e;
    }
    try {
      controller.bringUp();
      return controller;
    } catch (RuntimeException e) {
      controller.closeAfter(e);
      throw e;
    }
  }

  private NvmeController(DriverContext context, DmaMapper mapper, Registers registers, NvmeConfig config) {
    memory = context.memory();
    core = new ControllerCore(context, mapper, registers, config);
    bringUp = new BringUp(core);
    try {
      adminData = mapper.allocateCoherent(Math.max(IdentifyCommandLayout.DATA_SIZE, core.pageSize()));
    } catch (RuntimeException e) {
      core.admin().close();
      throw e;
    }
  }

  private void closeAfter(RuntimeException failure) {
    try {
      close();
    } catch (RuntimeException e) {
      failure.addSuppressed(e);
    }
  }

  // Bring-up, in the order the specification wants it.

  private void bringUp() {
    lifecycle.lock();
    try {
      become(NvmeState.CONNECTING);
      if (!bringUp.tryStop()) {
        throw NvmeException.ofController(core.name(), NvmeErrorKind.PROTOCOL, "the controller could not be stopped before its start");
      }
      core.memoryBuffer(ControllerMemoryBuffer.find(core));
      bringUp.start();
      bringUp.identify(adminData);
      lendMemory();
      makeQueues(bringUp.negotiateQueues(mostQueues()));
      connectQueues();
      namespaces = scanNamespaces();
      goLive();
      core.serviceBy(this::service);
    } finally {
      lifecycle.unlock();
    }
  }

  /** Return how many queues are wanted and have a doorbell in the BAR. */
  private int mostQueues() {
    int wanted = core.config().ioQueues();
    long room = core.registers().mmio().length() - DoorbellLayout.BASE;
    while (wanted > 0 && DoorbellLayout.length(wanted, core.doorbellStride()) > room) {
      wanted--;
    }
    return wanted;
  }

  private void makeQueues(int count) {
    TransferRules rules = transferRules();
    QueuePlacement placement = QueuePlacement.of(core, count);
    int vectorCount = vectorCount();
    for (int id = 1; id <= count; id++) {
      queues.add(makeQueue(id, placement, rules));
      vectors.add(vectorCount == 0 ? -1 : Math.min(id, vectorCount - 1));
    }
    if (core.config().shadowDoorbells() && core.facts().hasShadowDoorbells() && count != 0) {
      long length = Math.max(core.pageSize(), ShadowDoorbellLayout.length(count, core.doorbellStride()));
      shadow = core.mapper().allocateCoherent(length);
      shadowEvents = core.mapper().allocateCoherent(length);
    }
  }

  /** Lend the controller the memory that it asks for; it must work without. */
  private void lendMemory() {
    HostMemoryLoan loan = HostMemoryLoan.tryAllocate(core, memory);
    if (loan == null) {
      return;
    }
    hostMemory = loan;
    if (!bringUp.tryLend(loan, false)) {
      LOG.warn("{}: the controller does not take the host memory that it asked for", core.name());
      loan.close();
      hostMemory = null;
    }
  }

  private NvmeQueue makeQueue(int id, QueuePlacement placement, TransferRules rules) {
    SubmissionMemory memory = placement.submissionMemory(id);
    try {
      return new NvmeQueue(core, id, placement.depth(), rules, memory);
    } catch (RuntimeException e) {
      memory.close();
      throw e;
    }
  }

  private int vectorCount() {
    if (core.config().completion() == NvmeConfig.Completion.POLLED) {
      return 0;
    }
    int count = core.slot().interrupts().count();
    if (count == 0) {
      throw new IllegalArgumentException(core.name() + ": the device has no interrupts; set completion to polled");
    }
    return count;
  }

  private TransferRules transferRules() {
    DmaLimits limits = core.mapper().limits();
    long most = Math.min(core.facts().maxTransfer(), limits.maxMappingLength());
    long liked = core.config().maxTransfer();
    if (liked == 0) {
      liked = Math.max(SMALLEST_TRANSFER, Math.min(limits.optimalMappingLength(), LARGEST_TRANSFER));
    }
    boolean merges = limits.translates() && core.config().requestMapper().merges();
    return new TransferRules(
        Math.min(most, liked),
        core.pageSize() - 1L,
        core.facts().sgl(),
        core.facts().maxDescriptors(),
        merges ? limits.mergeBoundaryMask() : -1L,
        core.config().sglThreshold());
  }

  /** Create the queues on the controller; those it does not take after all stay unused. */
  private void connectQueues() {
    for (int i = 0; i < queues.size(); i++) {
      NvmeQueue queue = queues.get(i);
      queue.restart();
      bringUp.create(queue, vectors.get(i));
    }
    DmaBuffer indices = shadow;
    DmaBuffer events = shadowEvents;
    if (indices != null && events != null && bringUp.tryUseShadow(indices, events)) {
      queues.forEach(queue -> queue.useShadow(indices.segment(), events.segment()));
    }
  }

  private void goLive() {
    enableInterrupts();
    become(NvmeState.LIVE);
    core.resetDone();
    bringUp.listen(core.facts());
    for (NvmeQueue queue : queues) {
      queue.run(true);
      queue.accept(!quiesced);
    }
  }

  private void enableInterrupts() {
    Interrupts interrupts = core.slot().interrupts();
    for (int vector : vectors.stream().distinct().filter(v -> v >= 0).toList()) {
      List<NvmeQueue> served = new ArrayList<>();
      for (int i = 0; i < queues.size(); i++) {
        if (vectors.get(i) == vector) {
          served.add(queues.get(i));
        }
      }
      NvmeQueue[] onVector = served.toArray(new NvmeQueue[0]);
      interrupts.enable(
          vector,
          () -> {
            for (NvmeQueue queue : onVector) {
              queue.interrupted();
            }
          });
    }
  }

  private void disableInterrupts() {
    for (int vector : vectors.stream().distinct().filter(v -> v >= 0).toList()) {
      core.slot().interrupts().disable(vector);
    }
  }

  // Namespaces.

  private List<NvmeNamespace> scanNamespaces() {
    List<NvmeNamespace> found = new ArrayList<>();
    for (int id : namespaceIds()) {
      NvmeNamespace namespace = identify(id);
      if (namespace != null) {
        found.add(namespace);
      }
    }
    return List.copyOf(found);
  }

  private List<Integer> namespaceIds() {
    List<Integer> ids = new ArrayList<>();
    int last = 0;
    while (true) {
      AdminCommand list =
          BringUp.identify("list namespaces", IdentifyCommandLayout.CNS_ACTIVE_NAMESPACES, adminData).namespace(last);
      if (!core.admin().executeIfSupported(list)) {
        // Before version 1.1 there was no list: all numbers up to the count are tried.
        for (int id = 1; id <= core.facts().namespaces(); id++) {
          ids.add(id);
        }
        return ids;
      }
      for (int i = 0; i < LIST_ENTRIES; i++) {
        int id = adminData.segment().get(LIST_ENTRY, i * 4L);
        if (Integer.compareUnsigned(id, last) <= 0) {
          return ids;
        }
        ids.add(id);
        last = id;
      }
    }
  }

  private @Nullable NvmeNamespace identify(int id) {
    AdminCommand whole =
        BringUp.identify("identify namespace", IdentifyCommandLayout.CNS_NAMESPACE, adminData).namespace(id);
    if (!core.admin().executeIfSupported(whole)) {
      return null;
    }
    MemorySegment data =
        MemorySegment.ofArray(adminData.segment().asSlice(0, IdentifyCommandLayout.DATA_SIZE).toArray(ValueLayout.JAVA_LONG));
    AdminCommand ofCommandSet =
        BringUp.identify("identify NVM namespace", IdentifyCommandLayout.CNS_COMMAND_SET_NAMESPACE, adminData).namespace(id);
    boolean known = core.admin().executeIfSupported(ofCommandSet);
    NamespaceFormat format = NamespaceFormat.of(data, known ? adminData.segment() : null);
    return format.blocks() == 0 ? null : new NvmeNamespace(this, core, id, format);
  }

  /** Return the namespaces, in order of their ids, as they were when last looked at. */
  public List<NvmeNamespace> namespaces() {
    return namespaces;
  }

  /**
   * Return one namespace.
   *
   * @throws IllegalArgumentException if there is none with this id
   */
  public NvmeNamespace namespace(int id) {
    for (NvmeNamespace namespace : namespaces) {
      if (namespace.id() == id) {
        return namespace;
      }
    }
    throw new IllegalArgumentException(
        core.name() + ": no namespace " + id + "; found: " + namespaces.stream().map(NvmeNamespace::id).toList());
  }

  /** Look for namespaces again, for example after an event said that they changed, and return them. */
  public List<NvmeNamespace> rescan() {
    lifecycle.lock();
    try {
      requireLive();
      namespaces = scanNamespaces();
      return namespaces;
    } finally {
      lifecycle.unlock();
    }
  }

  // What users ask.

  /** Return the I/O queues; none if the controller granted none. */
  public List<NvmeQueue> queues() {
    return List.copyOf(queues);
  }

  /** Return the queue that shared calls of this thread use. */
  NvmeQueue queueOfThread() {
    if (queues.isEmpty()) {
      throw NvmeException.ofController(core.name(), NvmeErrorKind.NOT_SUPPORTED, "there is no I/O queue: none was asked for or granted");
    }
    return queues.get((int) (Thread.currentThread().threadId() % queues.size()));
  }

  /** Poll every queue once and take care of events and resets; returns how many completions were found. */
  public int poll() {
    int found = 0;
    for (NvmeQueue queue : queues) {
      found += queue.poll();
    }
    service();
    return found;
  }

  /** Poll until {@code over} says so or {@code nanos} have passed. */
  void pollUntil(BooleanSupplier over, long nanos) {
    long from = core.timers().nanoTime();
    Deadline patience = null;
    while (!over.getAsBoolean() && core.timers().nanoTime() - from < nanos) {
      if (poll() == 0 && !over.getAsBoolean() && !queues.isEmpty()) {
        patience = queues.getFirst().patiently(patience);
      }
    }
    if (patience != null) {
      patience.close();
    }
  }

  /**
   * Call {@code listener} for every event the controller reports from now on, on a thread that polls or waits.
   *
   * <p>Its log page was read by then. Events of one kind that come faster than that are one event.
   */
  public void onEvent(Consumer<NvmeEvent> listener) {
    eventListener = listener;
  }

  /** Return where the controller stands. */
  public NvmeState state() {
    return state;
  }

  /** Return the device's name for messages. */
  public String name() {
    return core.name();
  }

  /** Return the controller's model. */
  public String model() {
    return core.facts().model();
  }

  /** Return the controller's serial number. */
  public String serial() {
    return core.facts().serial();
  }

  /** Return the controller's firmware revision. */
  public String firmware() {
    return core.facts().firmware();
  }

  /** Return the controller page in use, bytes. */
  public int pageSize() {
    return core.pageSize();
  }

  /** Return the most data bytes of one command; longer requests are split. */
  public long maxTransfer() {
    return transferRules().maxBytes();
  }

  /** Tell whether the controller can do an operation. */
  public boolean supports(NvmeOperation operation) {
    return core.facts().supports(operation);
  }

  /** Tell whether flush matters: whether the controller has a volatile write cache. */
  public boolean hasWriteCache() {
    return core.facts().writeCache();
  }

  /** Return the bytes of host memory that the controller has borrowed for itself. */
  public long hostMemoryLength() {
    HostMemoryLoan loan = hostMemory;
    return loan == null ? 0 : loan.length();
  }

  /** Return the memory that requests move: of the machine that the controller is in. */
  public PhysicalMemory memory() {
    return memory;
  }

  /** Return the controller's own memory; null if it has none that can be used. */
  public @Nullable ControllerMemoryBuffer memoryBuffer() {
    return core.memoryBuffer();
  }

  /** Return the controller's way to memory, for example for mappings that it shares with others. */
  public DmaMapper mapper() {
    return core.mapper();
  }

  /** Return what the driver has done; the numbers of queues in use are those of a moment each. */
  public NvmeStatistics statistics() {
    NvmeStatistics sum =
        new NvmeStatistics(
            0, 0, 0, 0, 0, 0, 0, 0, core.admin().abortsSent(), resets, core.admin().dropped(), 0, core.admin().doorbellWrites());
    for (NvmeQueue queue : queues) {
      sum = sum.plus(queue.statistics());
    }
    return sum;
  }

  // Life.

  private void become(NvmeState next) {
    if (!state.mayBecome(next)) {
      throw new IllegalStateException(core.name() + ": cannot go from " + state + " to " + next);
    }
    state = next;
  }

  private void requireLive() {
    if (state != NvmeState.LIVE) {
      throw NvmeException.ofController(core.name(), NvmeErrorKind.GONE, "the controller is " + state);
    }
  }

  /** Take events and do a reset that is wanted, unless another thread is at it. */
  private void service() {
    boolean events = core.admin().hasEvents();
    String reason = core.resetReason();
    if ((!events && reason == null) || !lifecycle.tryLock()) {
      return;
    }
    List<NvmeEvent> told = List.of();
    try {
      if (state == NvmeState.LIVE) {
        told = takeEvents();
      }
      reason = core.resetReason();
      if (ControllerCore.BROKEN.equals(reason) && !core.isBroken()) {
        core.resetDone();
      } else if (reason != null && state == NvmeState.LIVE) {
        LOG.warn("{}: resetting the controller: {}", core.name(), reason);
        resetLocked();
      }
    } finally {
      lifecycle.unlock();
    }
    told.forEach(this::tell);
  }

  /** Take what events arrived: read their log pages, which lets the controller report the next of their kind, and ask for more. */
  private List<NvmeEvent> takeEvents() {
    List<NvmeEvent> taken = new ArrayList<>();
    for (NvmeEvent event = core.admin().takeEvent(); event != null; event = core.admin().takeEvent()) {
      taken.add(event);
      try {
        core.admin().tryExecute(readLog(event));
      } catch (NvmeException e) {
        core.wantReset("it did not answer when asked for the log page of an event: " + e.getMessage());
      }
    }
    core.admin().requestEvents();
    return taken;
  }

  private AdminCommand readLog(NvmeEvent event) {
    int bytes =
        switch (event.logPage()) {
          case LogPageCommandLayout.LID_ERROR -> ErrorLogLayout.SIZE;
          case LogPageCommandLayout.LID_CHANGED_NAMESPACES -> CHANGED_NAMESPACES_SIZE;
          default -> SmartLogLayout.SIZE;
        };
    return new AdminCommand("get log page", AdminOpcode.GET_LOG_PAGE)
        .namespace(LogPageCommandLayout.LID_CHANGED_NAMESPACES == event.logPage() ? 0 : SqeLayout.NSID_ALL)
        .data(adminData.dmaAddress(), 0)
        .word(10, event.logPage() | (bytes / Integer.BYTES - 1) << 16);
  }

  private void tell(NvmeEvent event) {
    try {
      eventListener.accept(event);
    } catch (RuntimeException e) {
      LOG.error("{}: the listener for events threw at {}", core.name(), event, e);
    }
  }

  /**
   * Reset the controller: cancel what is in flight, start it anew, and send again what has retries left.
   *
   * @throws NvmeException if it does not come back; it is dead then
   */
  public void reset() {
    lifecycle.lock();
    try {
      requireLive();
      resetLocked();
      if (state != NvmeState.LIVE) {
        throw NvmeException.ofController(core.name(), NvmeErrorKind.PROTOCOL, "the controller did not come back from its reset");
      }
    } finally {
      lifecycle.unlock();
    }
  }

  private void resetLocked() {
    become(NvmeState.RESETTING);
    resets++;
    enterAll();
    try {
      queues.forEach(queue -> queue.run(false));
      disableInterrupts();
      if (!bringUp.tryStop()) {
        die("it is gone or cannot be stopped", null);
        return;
      }
      core.admin().cancelAll();
      queues.forEach(queue -> queue.cancelAll(false));
      try {
        restart();
      } catch (RuntimeException e) {
        bringUp.tryStop();
        die("it did not start again", e);
      }
    } finally {
      leaveAll();
    }
  }

  private void enterAll() {
    queues.forEach(queue -> queue.guard().enter(core.timers()));
  }

  private void leaveAll() {
    queues.forEach(queue -> queue.guard().exit());
    queues.forEach(NvmeQueue::deliverDone);
  }

  private void restart() {
    become(NvmeState.CONNECTING);
    ControllerMemoryBuffer buffer = core.memoryBuffer();
    if (buffer != null) {
      buffer.claimAgain();
    }
    bringUp.start();
    bringUp.identify(adminData);
    HostMemoryLoan loan = hostMemory;
    if (loan != null && !bringUp.tryLend(loan, true)) {
      LOG.warn("{}: the controller does not take its host memory back after the reset", core.name());
      loan.close();
      hostMemory = null;
    }
    int granted = bringUp.negotiateQueues(queues.size());
    if (granted < queues.size()) {
      throw NvmeException.ofController(
          core.name(), NvmeErrorKind.PROTOCOL, "it granted " + queues.size() + " queues before the reset and " + granted + " after");
    }
    connectQueues();
    goLive();
  }

  /** Give the controller up: it is stopped, cut off the bus or gone, so all memory can be let go. The caller is inside every guard. */
  private void die(String why, @Nullable RuntimeException cause) {
    LOG.error("{}: giving the controller up: {}", core.name(), why, cause);
    core.resetDone();
    core.slot().busMaster(false);
    core.mapper().detach();
    core.admin().cancelAll();
    queues.forEach(queue -> queue.cancelAll(true));
    become(NvmeState.DELETING);
    become(NvmeState.DEAD);
  }

  /** Take no more requests and wait until those under way are over; what hangs is ended by a reset. */
  @Override
  public void quiesce() {
    lifecycle.lock();
    try {
      quiesced = true;
      acceptAll(false);
    } finally {
      lifecycle.unlock();
    }
    drain();
  }

  private void acceptAll(boolean yes) {
    for (NvmeQueue queue : queues) {
      queue.guard().enter(core.timers());
      queue.accept(yes);
      queue.guard().exit();
    }
  }

  private void drain() {
    for (NvmeQueue queue : queues) {
      Deadline patience = null;
      while (!queue.isIdle() && !state.isFinal()) {
        if (queue.poll() == 0) {
          patience = queue.patiently(patience);
        }
      }
      if (patience != null) {
        patience.close();
      }
    }
  }

  @Override
  public void resume() {
    lifecycle.lock();
    try {
      quiesced = false;
      if (state == NvmeState.LIVE) {
        acceptAll(true);
      }
    } finally {
      lifecycle.unlock();
    }
  }

  /**
   * Shut the controller down, cancel what is in flight, and give all memory back; may be repeated.
   *
   * <p>The controller is stopped before anything is unmapped, and cut off the bus if it does not stop.
   */
  @Override
  public void close() {
    lifecycle.lock();
    try {
      if (closed) {
        return;
      }
      closed = true;
      core.serviceBy(() -> {});
      enterAll();
      try {
        stopForGood();
      } finally {
        leaveAll();
      }
      become(NvmeState.DELETING_NO_IO);
      free();
    } finally {
      lifecycle.unlock();
    }
  }

  private void stopForGood() {
    queues.forEach(queue -> queue.run(false));
    disableInterrupts();
    if (state == NvmeState.DEAD) {
      return;
    }
    boolean wasLive = state == NvmeState.LIVE;
    become(NvmeState.DELETING);
    try {
      if (wasLive && !core.isBroken()) {
        bringUp.shutDown(queues, hostMemory != null, core.facts());
      }
    } catch (NvmeException e) {
      LOG.warn("{}: the controller did not shut down in peace and is stopped all the same", core.name(), e);
    } finally {
      bringUp.tryStop();
      core.slot().busMaster(false);
      core.admin().cancelAll();
      queues.forEach(queue -> queue.cancelAll(true));
    }
  }

  private void free() {
    Teardown teardown = new Teardown();
    for (NvmeQueue queue : queues) {
      teardown.then(queue::free);
    }
    DmaBuffer indices = shadow;
    DmaBuffer events = shadowEvents;
    if (indices != null) {
      teardown.then(indices::close);
    }
    if (events != null) {
      teardown.then(events::close);
    }
    HostMemoryLoan loan = hostMemory;
    if (loan != null) {
      teardown.then(loan::close);
    }
    teardown.then(adminData::close).then(core.admin()::close).then(core.mapper()::close).finish();
  }
}
