package io.twostep.tck;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaStack;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.Backend;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.TerminalBackend;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A machine with one probe on the stack that is proved; closing it proves that nothing is left of either.
 *
 * <p>Thread-safe where its parts are.
 */
public final class TckRig implements AutoCloseable {
  private final TckSetup setup;
  private final TckMachine machine;
  private final ProbeDevice device = new ProbeDevice();
  private final DeviceSlot slot;
  private final List<Backend> backends = new ArrayList<>();
  private final DmaStack stack;
  private final List<DmaMapper> mappers = new ArrayList<>();
  private final List<DmaOps> opened = new ArrayList<>();
  private final List<MemoryBlock> blocks = new ArrayList<>();
  private final @Nullable StateWatch states;
  private boolean provedIsClosed;
  private boolean closed;

  /** Assemble; {@code parts} are listed outermost first, the terminal last. */
  TckRig(TckSetup setup, List<TckPart> parts) {
    this(setup, parts, false, null);
  }

  /** Return a rig that tells which states the layer that is proved, the outermost, handed down and never forgot. */
  static TckRig watchingStates(TckSetup setup, List<TckPart> parts) {
    return new TckRig(setup, parts, false, new StateWatch());
  }

  /** Return a rig to be measured: caches answer as hardware usually does, and the clock stands still. */
  static TckRig calm(TckSetup setup, List<TckPart> parts) {
    return new TckRig(setup.calm(), parts, true, null);
  }

  private TckRig(TckSetup setup, List<TckPart> parts, boolean still, @Nullable StateWatch states) {
    this.setup = setup;
    this.states = states;
    machine = setup.create(still);
    slot = machine.plug(device, setup.device());
    List<LayerBackend> layers = new ArrayList<>();
    for (TckPart part : parts) {
      Backend backend = part.plugin().create(Settings.of(part.plugin(), part.settings()));
      backends.add(backend);
      if (backend instanceof LayerBackend layer) {
        layers.add(layer);
      }
      if (states != null && backends.size() == 1) {
        backends.add(states);
        layers.add(states);
      }
    }
    stack = DmaStack.of((TerminalBackend) backends.getLast(), layers);
  }

  /** Return the machine. */
  public TckMachine machine() {
    return machine;
  }

  /** Return the device. */
  public ProbeDevice device() {
    return device;
  }

  /** Return the device's slot. */
  public DeviceSlot slot() {
    return slot;
  }

  /** Return the stack. */
  public DmaStack stack() {
    return stack;
  }

  /** Return the device's mapper; attached when first asked for. */
  public DmaMapper mapper() {
    return mappers.isEmpty() ? attach(slot) : mappers.getFirst();
  }

  /** Attach a slot; the mapper is closed with the rig. */
  public DmaMapper attach(DeviceSlot other) {
    DmaMapper mapper = stack.attach(machine, other, setup.limits());
    mappers.add(mapper);
    return mapper;
  }

  /** Plug one more device beside the first, in the same setup but for its standing. */
  public DeviceSlot plug(ProbeDevice other, SlotOptions options) {
    return machine.plug(other, options);
  }

  /** Attach the device without a mapper, for tests of the primitives; closed with the rig. */
  public DmaOps ops() {
    DmaOps ops = ((TerminalBackend) backends.getLast()).attach(context(-1));
    try {
      for (int i = backends.size() - 2; i >= 0; i--) {
        ops = ((LayerBackend) backends.get(i)).attach(context(i), ops);
      }
    } catch (RuntimeException e) {
      ops.close();
      throw e;
    }
    opened.add(ops);
    return ops;
  }

  private AttachContext context(int layer) {
    return new AttachContext(machine, slot, machine.addressSpaceFor(slot), setup.limits(), layer);
  }

  /** Return how many layers lie above the terminal. */
  public int layers() {
    return backends.size() - 1;
  }

  /** Allocate memory, contiguous, in whole granules and full of noise; freed with the rig. */
  public MemoryBlock memory(long length) {
    long granule = granule();
    return memory(length + granule - 1 & -granule, MemoryPlacement.CONTIGUOUS);
  }

  /** The granule, so that what surrounds a mapping in its granules belongs to the same block; 1 for a device that is refused. */
  private long granule() {
    try {
      return mapper().limits().granule();
    } catch (DmaMappingException e) {
      return 1;
    }
  }

  /** Allocate memory full of noise; freed with the rig. */
  public MemoryBlock memory(long length, MemoryPlacement placement) {
    MemoryBlock block = machine.memory().allocate(length, placement);
    blocks.add(block);
    Bytes.put(block, 0, Bytes.random((int) length, blocks.size()));
    return block;
  }

  /** Map a part of a block. */
  public DmaMapping map(MemoryBlock block, long offset, long length, DmaDirection direction) {
    return mapper().map(block.phys(offset), length, direction, 0);
  }

  /** Return the fewest heap bytes that 500 rounds of {@code work} leave behind once warm, without what the kit's own hosts keep. */
  long leastGarbageOf(Runnable work) {
    return Allocation.leastBytesOf(work, machine::garbage);
  }

  /** Close mappers and backends and give all memory back; fails the test if anything was left. May be repeated. */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    try {
      machine.faults().disarm();
      for (DmaMapper mapper : mappers) {
        assertThat(mapper.liveMappings()).as("handles of " + mapper.slot().address() + " that still hold something").isZero();
        assertThat(mapper.quarantined()).as("teardowns of " + mapper.slot().address() + " that were not confirmed").isZero();
      }
      closeStack();
      blocks.forEach(MemoryBlock::close);
      List<Throwable> leaks = machine.leaks();
      if (!leaks.isEmpty()) {
        AssertionError left = new AssertionError(stack + " did not give back: " + leaks.stream().map(Throwable::getMessage).toList());
        leaks.forEach(left::addSuppressed);
        throw left;
      }
    } finally {
      machine.close();
    }
  }

  /** Close the machine under a stack that failed its test, without proving anything; does nothing after close. */
  void abandon() {
    if (!closed) {
      closed = true;
      machine.close();
    }
  }

  /** Close the backend that is proved, the outermost, below its mappers; those below it stay open. */
  void closeProved() {
    mappers.forEach(DmaMapper::close);
    mappers.clear();
    proved().close();
    provedIsClosed = true;
  }

  /** Return who first used each state that was handed to the stack below the layer that is proved, and was not forgotten there until now. */
  List<Throwable> unforgotten() {
    return states == null ? List.of() : states.unforgotten();
  }

  private Backend proved() {
    return backends.getFirst();
  }

  private void closeStack() {
    mappers.forEach(DmaMapper::close);
    opened.forEach(DmaOps::close);
    backends.subList(provedIsClosed ? 1 : 0, backends.size()).forEach(Backend::close);
  }
}
