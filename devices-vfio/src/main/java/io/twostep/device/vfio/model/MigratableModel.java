package io.twostep.device.vfio.model;

import io.twostep.device.vfio.wire.Opcode;
import io.twostep.device.vfio.wire.Registers;
import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.DeviceModel;
import io.twostep.dma.spi.DeviceSlot.Bar;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A device that copies and fills its guest's memory, and can be migrated while it does; reaches memory only through its bus master.
 *
 * <p>The guest submits commands to queues in its own memory. All its addresses are relative to GUEST_BASE, and those of peers to PEER_BASE, which the host sets, so that the same state means the same memory on any machine.
 */
public final class MigratableModel implements DeviceModel {
  private static final Identity IDENTITY = new Identity(0x1234, 0x317e, 0x088000, 1);

  private final ModelConfig config;
  private final InternalMemory internal;
  private final CopyEngine engine;
  private final WriteLog log;
  private final DeviceImage image;
  private @Nullable Signals signals;
  private @Nullable GuestBus guest;
  private @Nullable HostCommands commands;
  private boolean initiatorSuspended;
  private boolean responderSuspended;
  private long mailbox;
  private long savedMailbox;
  private long mailboxSavedBefore;
  private long refusedWrites;

  /** Create a device. */
  public MigratableModel(ModelConfig config) {
    this.config = config;
    internal = new InternalMemory(config.internalPages());
    engine = new CopyEngine(config, internal);
    log = new WriteLog(config.logEntries());
    image = new DeviceImage(engine, internal);
  }

  @Override
  public Identity identity() {
    return IDENTITY;
  }

  @Override
  public List<BarSpec> bars() {
    return List.of(new BarSpec(Bar.Kind.REGISTERS, Registers.LENGTH));
  }

  @Override
  public int vectors() {
    return 0;
  }

  @Override
  public void connect(BusMaster bus, Signals signals) {
    this.signals = signals;
    guest = new GuestBus(bus, log);
    commands = new HostCommands(this, bus, log, image);
  }

  private HostCommands commands() {
    return connected(commands);
  }

  private GuestBus guest() {
    return connected(guest);
  }

  private static <T> T connected(@Nullable T part) {
    if (part == null) {
      throw new IllegalStateException("the device is not plugged into a machine");
    }
    return part;
  }

  @Override
  public long read(int bar, long offset, int width) {
    long word = readWord(offset & -Long.BYTES);
    return width == Long.BYTES ? word : (word >>> ((offset & 4) * Byte.SIZE)) & 0xffff_ffffL;
  }

  private long readWord(long offset) {
    if (offset >= Registers.QUEUES) {
      long at = offset - Registers.QUEUES;
      int queue = (int) (at / Registers.QUEUE_STRIDE);
      return queue < engine.queues() ? engine.queue(queue).read(at % Registers.QUEUE_STRIDE) : 0;
    }
    if (offset >= Registers.RESULTS && offset < Registers.GUEST_BASE) {
      return commands().results[(int) (offset - Registers.RESULTS) / Long.BYTES];
    }
    return switch ((int) offset) {
      case (int) Registers.IDENTITY -> Registers.IDENTITY_VALUE;
      case (int) Registers.CAPABILITIES -> capabilities();
      case (int) Registers.OPCODE -> commands().opcode();
      case (int) Registers.STATUS -> commands().status();
      case (int) Registers.GUEST_BASE -> guest().base;
      case (int) Registers.GUEST_LENGTH -> guest().length;
      case (int) Registers.MAILBOX -> mailbox;
      case (int) Registers.PEER_BASE -> guest().peerBase;
      case (int) Registers.PEER_LENGTH -> guest().peerLength;
      default -> 0;
    };
  }

  private long capabilities() {
    return config.features().bits()
        | (config.tracks() ? Registers.TRACKS : 0)
        | (long) config.queues() << Registers.QUEUES_SHIFT
        | (long) mostImageBytes() << Registers.IMAGE_SHIFT;
  }

  /** Writes of four bytes are the lower half of a register. */
  @Override
  public void write(int bar, long offset, int width, long value) {
    if (offset % Long.BYTES != 0) {
      return;
    }
    if (offset >= Registers.QUEUES) {
      writeQueue(offset - Registers.QUEUES, value);
    } else if (offset >= Registers.ARGUMENTS && offset < Registers.RESULTS) {
      commands().arguments[(int) (offset - Registers.ARGUMENTS) / Long.BYTES] = value;
    } else if (offset == Registers.OPCODE) {
      commands().begin((int) value);
    } else if (offset == Registers.GUEST_BASE) {
      guest().base = value;
    } else if (offset == Registers.GUEST_LENGTH) {
      guest().length = value;
    } else if (offset == Registers.PEER_BASE) {
      guest().peerBase = value;
    } else if (offset == Registers.PEER_LENGTH) {
      guest().peerLength = value;
    } else if (offset == Registers.MAILBOX) {
      if (answers()) {
        mailbox += value;
      }
    }
    wake();
  }

  private void writeQueue(long at, long value) {
    int queue = (int) (at / Registers.QUEUE_STRIDE);
    if (queue < engine.queues() && answers()) {
      engine.write(queue, at % Registers.QUEUE_STRIDE, value);
    }
  }

  /** Tell whether the device may be changed from outside; what comes when it may not is lost, and counted. */
  private boolean answers() {
    refusedWrites += responderSuspended ? 1 : 0;
    return !responderSuspended;
  }

  private void wake() {
    connected(signals).wake();
  }

  /** Suspend or resume a part; the initiator is suspended first and resumed last. */
  boolean suspend(int part, boolean suspended) {
    if (part == Opcode.INITIATOR && !(suspended ? initiatorSuspended : responderSuspended)) {
      initiatorSuspended = suspended;
      return true;
    }
    if (part == Opcode.RESPONDER && initiatorSuspended && responderSuspended != suspended) {
      responderSuspended = suspended;
      return true;
    }
    return false;
  }

  boolean isStopped() {
    return initiatorSuspended && responderSuspended;
  }

  boolean tracks() {
    return config.tracks();
  }

  int mostImageBytes() {
    return DeviceImage.mostBytes(config);
  }

  /** Tell whether anything of its state differs from what the last tracked save saw. */
  boolean isChanged() {
    return engine.isChanged() || internal.pagesOf(true) != 0 || mailbox != savedMailbox;
  }

  void markSaved() {
    engine.markSaved();
    internal.markSaved();
    mailboxSavedBefore = savedMailbox;
    savedMailbox = mailbox;
  }

  /** What was marked as saved last came to nobody: it counts as changed again, with what changed since. */
  void markUnsaved() {
    engine.markUnsaved();
    internal.markUnsaved();
    savedMailbox = mailboxSavedBefore;
  }

  long mailbox() {
    return mailbox;
  }

  void mailbox(long value) {
    mailbox = value;
  }

  /** The host's commands go first; one piece of the budget is a page moved. */
  @Override
  public boolean step(int budget) {
    boolean saving = true;
    boolean working = true;
    for (int i = 0; i < budget && (saving || working); i++) {
      saving = commands().work();
      working = i < config.pagesPerTurn() && !initiatorSuspended && engine.work(guest());
    }
    return saving || (!initiatorSuspended && engine.hasWork());
  }

  @Override
  public void reset() {
    commands().reset();
    engine.reset();
    internal.reset();
    initiatorSuspended = false;
    responderSuspended = false;
    mailbox = 0;
    savedMailbox = 0;
    guest().clear();
  }

  @Override
  public void close() {}

  /** Return the whole state, as a full save has it now; for whoever compares two devices. */
  public byte[] state() {
    return image.save(false, mailbox);
  }

  /** Return how many pieces of work it did since it was made. */
  public long pieces() {
    return engine.pieces();
  }

  /** Return how many commands it has fetched and not completed. */
  public int inFlight() {
    return engine.inFlight();
  }

  /** Return how many writes to its registers were lost because it was stopped: a correct host and correct peers cause none. */
  public long refusedWrites() {
    return refusedWrites;
  }
}
