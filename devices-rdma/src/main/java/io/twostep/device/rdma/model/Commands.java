package io.twostep.device.rdma.model;

import io.twostep.device.rdma.transport.RcConfig;
import io.twostep.device.rdma.wire.CommandLayout;
import io.twostep.device.rdma.wire.CompletionStatus;
import io.twostep.device.rdma.wire.EqeLayout;
import io.twostep.device.rdma.wire.MkeyLayout;
import io.twostep.device.rdma.wire.QueuePairLayout;
import io.twostep.dma.spi.BusMaster;
import java.lang.foreign.MemorySegment;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** What the command interface makes and destroys: domains, keys, queues; and what each command does. */
final class Commands {
  private static final int LONGEST_QUEUE = 16;
  private static final int WINDOW = 128;
  private static final int SMALLEST_PAGE = 12;
  private static final long MOST_OCTWORDS = 1 << 27;
  private static final int BYTE = 0xff;

  private final BusMaster bus;
  private final Translator memory;
  private final WireEnd wire;
  private final MemorySegment entry = MemorySegment.ofArray(new byte[CommandLayout.ENTRY_SIZE]);
  private final MemorySegment input = MemorySegment.ofArray(new byte[CommandLayout.MAX_INPUT]);
  private final Set<Integer> domains = new HashSet<>();
  private final Map<Integer, ModelCq> completionQueues = new TreeMap<>();
  final Map<Integer, ModelQp> queuePairs = new TreeMap<>();
  private @Nullable EntryRing events;

  /** Events that were posted and not answered: their entries may not have been read. */
  private int unanswered;

  private int lastNumber;
  private int result;

  Commands(BusMaster bus, Translator memory, WireEnd wire) {
    this.bus = bus;
    this.memory = memory;
    this.wire = wire;
  }

  void clear() {
    domains.clear();
    completionQueues.clear();
    queuePairs.clear();
    memory.clear();
    events = null;
    unanswered = 0;
  }

  /** Execute the command whose entry is at {@code dmaAddress}, if the adapter owns it. */
  void execute(long dmaAddress, long now) {
    if (bus.read(dmaAddress, entry, 0, CommandLayout.ENTRY_SIZE) != BusMaster.OK
        || CommandLayout.OWNERSHIP.get(entry, 0) != CommandLayout.DEVICE_OWNS) {
      return;
    }
    input.fill((byte) 0);
    result = 0;
    long length = CommandLayout.INPUT_LENGTH.getUnsigned(entry, 0);
    boolean read =
        length <= CommandLayout.MAX_INPUT && bus.read(CommandLayout.INPUT_ADDRESS.get(entry, 0), input, 0, length) == BusMaster.OK;
    CommandLayout.STATUS.set(entry, 0, read ? execute(now) : CommandLayout.STATUS_BAD_PARAMETER);
    CommandLayout.RESULT.set(entry, 0, result);
    CommandLayout.OWNERSHIP.set(entry, 0, 0);
    long last = CommandLayout.OWNERSHIP.offset();
    if (bus.write(dmaAddress, entry, 0, last) == BusMaster.OK) {
      bus.write(dmaAddress + last, entry, last, 1);
    }
  }

  private int execute(long now) {
    int number = CommandLayout.NUMBER.get(input, 0);
    return switch (CommandLayout.OPCODE.get(input, 0)) {
      case CommandLayout.OP_NOP -> CommandLayout.STATUS_OK;
      case CommandLayout.OP_ALLOC_PD -> {
        domains.add(newNumber());
        yield CommandLayout.STATUS_OK;
      }
      case CommandLayout.OP_DEALLOC_PD -> status(!isUsed(number) && domains.remove(number));
      case CommandLayout.OP_CREATE_MKEY -> createKey();
      case CommandLayout.OP_DESTROY_MKEY -> status(memory.remove(number));
      case CommandLayout.OP_CREATE_EQ -> createEvents();
      case CommandLayout.OP_CREATE_CQ -> createCompletionQueue();
      case CommandLayout.OP_DESTROY_CQ -> {
        ModelCq queue = completionQueues.get(number);
        yield status(queue != null && queue.users == 0 && completionQueues.remove(number, queue));
      }
      case CommandLayout.OP_CREATE_QP -> createQueuePair();
      case CommandLayout.OP_CONNECT_QP -> connect();
      case CommandLayout.OP_FAIL_QP -> {
        ModelQp queuePair = queuePairs.get(number);
        if (queuePair != null) {
          queuePair.fail(CompletionStatus.FLUSHED);
        }
        yield status(queuePair != null);
      }
      case CommandLayout.OP_DESTROY_QP -> {
        ModelQp queuePair = queuePairs.remove(number);
        if (queuePair != null) {
          queuePair.close();
        }
        yield status(queuePair != null);
      }
      case CommandLayout.OP_PAGE_FAULT_RESUME -> {
        unanswered--;
        int token = CommandLayout.FAULT_TOKEN.get(input, 0);
        ModelQp queuePair = queuePairs.get(EqeLayout.QUEUE_PAIR.get(token));
        if (queuePair != null) {
          queuePair.resume(now, EqeLayout.RESPONDER.isSet(token), CommandLayout.FAULT_ERROR.get(input, 0) != 0);
        }
        yield CommandLayout.STATUS_OK;
      }
      default -> CommandLayout.STATUS_BAD_OPCODE;
    };
  }

  private static int status(boolean found) {
    return found ? CommandLayout.STATUS_OK : CommandLayout.STATUS_BAD_RESOURCE;
  }

  private int newNumber() {
    result = ++lastNumber;
    return result;
  }

  private boolean isUsed(int domain) {
    return memory.isUsed(domain) || queuePairs.values().stream().anyMatch(queuePair -> queuePair.domain() == domain);
  }

  private int createKey() {
    int access = MkeyLayout.ACCESS.get(input, 0);
    int domain = MkeyLayout.PROTECTION_DOMAIN.get(MkeyLayout.DOMAIN.get(input, 0));
    int logPage = MkeyLayout.LOG_PAGE_SIZE.get(MkeyLayout.PAGE_SIZE.get(input, 0));
    long octwords = MkeyLayout.OCTWORDS.getUnsigned(input, 0);
    int mode = MkeyLayout.MODE.get(access);
    if (!domains.contains(domain)
        || MkeyLayout.MODE_HIGH.isSet(access)
        || octwords > MOST_OCTWORDS
        || (mode != MkeyLayout.MODE_PHYSICAL && logPage < SMALLEST_PAGE)) {
      return CommandLayout.STATUS_BAD_PARAMETER;
    }
    Mkey key = new Mkey(memory.newIndex(), input, octwords);
    memory.add(key);
    result = key.key;
    return CommandLayout.STATUS_OK;
  }

  private int createEvents() {
    int logEntries = CommandLayout.LOG_ENTRIES.get(input, 0);
    if (logEntries < 0 || logEntries > LONGEST_QUEUE || events != null) {
      return CommandLayout.STATUS_BAD_PARAMETER;
    }
    events = new EntryRing(bus, CommandLayout.BUFFER.get(input, 0), logEntries);
    return CommandLayout.STATUS_OK;
  }

  private int createCompletionQueue() {
    int logEntries = CommandLayout.LOG_ENTRIES.get(input, 0);
    if (logEntries < 0 || logEntries > LONGEST_QUEUE) {
      return CommandLayout.STATUS_BAD_PARAMETER;
    }
    EntryRing ring = new EntryRing(bus, CommandLayout.BUFFER.get(input, 0), logEntries);
    completionQueues.put(newNumber(), new ModelCq(bus, ring, CommandLayout.DOORBELL_RECORD.get(input, 0)));
    return CommandLayout.STATUS_OK;
  }

  private int createQueuePair() {
    int domain = QueuePairLayout.PROTECTION_DOMAIN.get(input, 0);
    ModelCq sendCq = completionQueues.get(QueuePairLayout.SEND_CQ.get(input, 0));
    ModelCq receiveCq = completionQueues.get(QueuePairLayout.RECEIVE_CQ.get(input, 0));
    int logSends = QueuePairLayout.LOG_SEND_ENTRIES.get(input, 0);
    int logReceives = QueuePairLayout.LOG_RECEIVE_ENTRIES.get(input, 0);
    int sendBlocks = QueuePairLayout.LOG_SEND_BLOCKS.get(input, 0);
    int receiveBlocks = QueuePairLayout.LOG_RECEIVE_BLOCKS.get(input, 0);
    boolean fits =
        (logSends | logReceives | sendBlocks | receiveBlocks) >= 0
            && Math.max(logSends, logReceives) <= LONGEST_QUEUE
            && Math.max(sendBlocks, receiveBlocks) <= QueuePairLayout.MAX_LOG_BLOCKS;
    if (!domains.contains(domain) || sendCq == null || receiveCq == null || !fits) {
      return CommandLayout.STATUS_BAD_PARAMETER;
    }
    int number = newNumber();
    queuePairs.put(
        number,
        new ModelQp(
            bus,
            memory,
            number,
            domain,
            new ModelQp.Ring(QueuePairLayout.SEND_BUFFER.get(input, 0), logSends, sendBlocks),
            new ModelQp.Ring(QueuePairLayout.RECEIVE_BUFFER.get(input, 0), logReceives, receiveBlocks),
            QueuePairLayout.DOORBELL_RECORD.get(input, 0),
            sendCq,
            receiveCq,
            this::reportFault,
            QueuePairLayout.PRIVILEGED.get(input, 0) != 0));
    return CommandLayout.STATUS_OK;
  }

  private int connect() {
    ModelQp queuePair = queuePairs.get(QueuePairLayout.NUMBER.get(input, 0));
    if (queuePair == null) {
      return CommandLayout.STATUS_BAD_RESOURCE;
    }
    int timeout = QueuePairLayout.TIMEOUT.get(input, 0);
    int retries = QueuePairLayout.RETRIES.get(input, 0);
    int reads = QueuePairLayout.READS.get(input, 0);
    try {
      RcConfig config =
          new RcConfig(
              QueuePairLayout.REMOTE_NUMBER.get(input, 0),
              QueuePairLayout.MTU.get(input, 0),
              QueuePairLayout.SEND_PSN.get(input, 0),
              QueuePairLayout.RECEIVE_PSN.get(input, 0),
              timeout == 0 ? 0 : 4096L << timeout,
              retries & BYTE,
              retries >>> 8 & BYTE,
              retries >>> 16 & BYTE,
              reads & BYTE,
              reads >>> 8 & BYTE,
              WINDOW);
      return status(queuePair.connect(config, wire));
    } catch (IllegalArgumentException e) {
      return CommandLayout.STATUS_BAD_PARAMETER;
    }
  }

  private boolean reportFault(PageFault fault, int subtype, int queuePair, boolean writes, boolean responder) {
    if (events == null || unanswered == events.capacity()) {
      return false;
    }
    unanswered++;
    MemorySegment event = events.blank();
    EqeLayout.TYPE.set(event, 0, EqeLayout.TYPE_PAGE_FAULT);
    EqeLayout.SUBTYPE.set(event, 0, subtype);
    EqeLayout.KEY.set(event, 0, fault.key());
    EqeLayout.DEMANDED.set(event, 0, (int) fault.demanded());
    EqeLayout.LENGTH.set(event, 0, (int) fault.length());
    EqeLayout.ADDRESS.set(event, 0, fault.address());
    EqeLayout.TOKEN.set(event, 0, EqeLayout.RESPONDER.with(EqeLayout.WRITES.with(queuePair, writes ? 1 : 0), responder ? 1 : 0));
    EqeLayout.OWNER.set(event, 0, events.round());
    return events.post();
  }
}
