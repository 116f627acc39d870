package io.twostep.device.rdma.model;

import io.twostep.device.rdma.transport.MemoryResult;
import io.twostep.device.rdma.transport.Packet;
import io.twostep.device.rdma.transport.PacketCodec;
import io.twostep.device.rdma.transport.RcConfig;
import io.twostep.device.rdma.transport.Requester;
import io.twostep.device.rdma.transport.RequesterPort;
import io.twostep.device.rdma.transport.Responder;
import io.twostep.device.rdma.transport.ResponderPort;
import io.twostep.device.rdma.transport.Verb;
import io.twostep.device.rdma.transport.WorkRequest;
import io.twostep.device.rdma.wire.Bits;
import io.twostep.device.rdma.wire.CompletionStatus;
import io.twostep.device.rdma.wire.CqeLayout;
import io.twostep.device.rdma.wire.EqeLayout;
import io.twostep.device.rdma.wire.MkeyLayout;
import io.twostep.device.rdma.wire.QueuePairLayout;
import io.twostep.device.rdma.wire.RcOpcode;
import io.twostep.device.rdma.wire.WqeLayout;
import io.twostep.dma.spi.BusMaster;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** A queue pair from the adapter's side: fetches entries, drives both ends of its connection, and posts completions. */
final class ModelQp {
  private static final int EXTRA_AT_REMOTE = WqeLayout.UNIT;
  private static final int ATOMIC_AT = 2 * WqeLayout.UNIT;

  private final BusMaster bus;
  private final Translator memory;
  private final int number;
  private final int domain;
  private final Ring sends;
  private final Ring receives;
  private final long record;
  private final ModelCq sendCq;
  private final ModelCq receiveCq;
  private final FaultSink faults;
  private final KeyUpdates updates;
  private final boolean privileged;
  private final Map<Long, Wqe> fetched = new HashMap<>();
  private final MemorySegment word = MemorySegment.ofArray(new byte[QueuePairLayout.RECORD_SIZE]);
  private long sendsFetched;
  private long receivesTaken;
  private @Nullable Wqe receive;
  private @Nullable Requester requester;
  private @Nullable Responder responder;
  private @Nullable WireEnd wire;
  private boolean broken;

  /** Whether a page fault of a peer's request was reported and not answered. */
  private boolean remoteFaultPending;

  private boolean remoteFaultFailed;

  /** The fault that the next receive met last: reported when it is known how much of the message has come. */
  private @Nullable PageFault receiveFault;

  /** A queue of entries in host memory. */
  record Ring(long base, int logEntries, int logBlocks) {
    long at(long index) {
      return base + (index & ((1L << logEntries) - 1)) * entrySize();
    }

    int entrySize() {
      return QueuePairLayout.ENTRY_SIZE << logBlocks;
    }
  }

  /** Takes page faults. */
  interface FaultSink {
    /** Report a fault; false if the host has no room for it. */
    boolean report(PageFault fault, int subtype, int queuePair, boolean writes, boolean responder);
  }

  ModelQp(
      BusMaster bus, Translator memory, int number, int domain, Ring sends, Ring receives, long record, ModelCq sendCq, ModelCq receiveCq, FaultSink faults,
      boolean privileged) {
    this.bus = bus;
    this.memory = memory;
    this.number = number;
    this.domain = domain;
    this.sends = sends;
    this.receives = receives;
    this.record = record;
    this.sendCq = sendCq;
    this.receiveCq = receiveCq;
    this.faults = faults;
    this.privileged = privileged;
    updates = new KeyUpdates(memory);
    sendCq.users++;
    receiveCq.users++;
  }

  int domain() {
    return domain;
  }

  /** Let go of the completion queues. */
  void close() {
    sendCq.users--;
    receiveCq.users--;
  }

  /** Connect it; false if it is connected already. */
  boolean connect(RcConfig config, WireEnd to) {
    if (requester != null) {
      return false;
    }
    wire = to;
    requester = new Requester(config, new Sending());
    responder = new Responder(config, new Receiving());
    return true;
  }

  /** Take a packet. */
  void receive(long now, Packet packet) {
    if (requester == null || responder == null || broken) {
      return;
    }
    if (packet.opcode().kind().isResponse()) {
      requester.receive(now, packet);
    } else {
      responder.receive(packet);
    }
  }

  /** Work; returns whether there is more to do at once. */
  boolean step(long now, int budget) {
    if (requester == null || responder == null) {
      return false;
    }
    boolean more = responder.step(budget);
    more |= !broken && requester.step(now, budget);
    if (broken || requester.isFailed()) {
      fail(CompletionStatus.FLUSHED);
    }
    return more;
  }

  long nextDeadline() {
    return requester == null || broken ? Requester.NEVER : requester.nextDeadline();
  }

  /** End everything that is posted. */
  void fail(CompletionStatus status) {
    broken = true;
    fetchSends();
    if (requester != null && responder != null) {
      requester.fail(status);
      responder.stop();
    }
    while (hasReceive()) {
      endReceive(CqeLayout.KIND_RESPONSE_ERROR, CompletionStatus.FLUSHED, 0, 0);
    }
  }

  /** Go on after a page fault. */
  void resume(long now, boolean ofResponder, boolean failed) {
    if (ofResponder) {
      remoteFaultPending = false;
      remoteFaultFailed |= failed;
    } else if (failed) {
      fail(CompletionStatus.LOCAL_PROTECTION);
    } else if (requester != null) {
      requester.resume(now);
    }
  }

  // Queues.

  /** Fetch the entries that the doorbell record tells of. */
  void fetchSends() {
    if (requester == null || bus.read(record, word, 0, word.byteSize()) != BusMaster.OK) {
      return;
    }
    int posted = QueuePairLayout.RECORD_SENDS.get(word, 0);
    while ((int) sendsFetched != posted) {
      Wqe wqe = new Wqe(sends.entrySize());
      long id = sendsFetched++;
      boolean read = bus.read(sends.at(id), wqe.bytes, 0, wqe.bytes.byteSize()) == BusMaster.OK;
      fetched.put(id, wqe);
      requester.post(read && wqe.asSend() ? request(id, wqe) : new WorkRequest(id, Verb.LOCAL, 0, 0, 0, 0, 0, 0, false));
    }
  }

  private static WorkRequest request(long id, Wqe wqe) {
    MemorySegment bytes = wqe.bytes;
    boolean fence = WqeLayout.FENCE.isSet(WqeLayout.FLAGS.get(bytes, 0));
    return new WorkRequest(
        id,
        wqe.verb(),
        wqe.length(),
        WqeLayout.REMOTE_ADDRESS.get(bytes, EXTRA_AT_REMOTE),
        WqeLayout.REMOTE_KEY.get(bytes, EXTRA_AT_REMOTE),
        WqeLayout.EXTRA.get(bytes, 0),
        WqeLayout.SWAP_OR_ADD.get(bytes, ATOMIC_AT),
        WqeLayout.COMPARE.get(bytes, ATOMIC_AT),
        fence);
  }

  private boolean hasReceive() {
    if (receive != null) {
      return true;
    }
    if (bus.read(record, word, 0, word.byteSize()) != BusMaster.OK || QueuePairLayout.RECORD_RECEIVES.get(word, 0) == (int) receivesTaken) {
      return false;
    }
    Wqe wqe = new Wqe(receives.entrySize());
    if (bus.read(receives.at(receivesTaken), wqe.bytes, 0, wqe.bytes.byteSize()) != BusMaster.OK) {
      return false;
    }
    wqe.asReceive();
    receive = wqe;
    return true;
  }

  private void endReceive(int kind, CompletionStatus status, int extra, long length) {
    receive = null;
    if (!receiveCq.post(kind, status, number, (int) receivesTaken++, extra, length)) {
      broken = true;
    }
  }

  private Wqe wqe(long id) {
    return Objects.requireNonNull(fetched.get(id));
  }

  /** Report a fault of the queue pair's own memory; the requester waits for it. */
  private MemoryResult local(MemoryResult result, boolean writes) {
    return result == MemoryResult.FAULT && !faults.report(memory.fault(), EqeLayout.FAULT_WQE, number, writes, false) ? MemoryResult.FAILED : result;
  }

  /** Report a fault that a peer's request met. */
  private MemoryResult remote(MemoryResult result, boolean writes) {
    MemoryResult seen = seen(result);
    if (seen == MemoryResult.FAULT) {
      reportRemote(memory.fault(), EqeLayout.FAULT_RDMA, writes);
    }
    return seen;
  }

  /** Return what becomes of a peer's request: no fault is met once one could not be served. */
  private MemoryResult seen(MemoryResult result) {
    return result == MemoryResult.FAULT && remoteFaultFailed ? MemoryResult.FAILED : result;
  }

  /** Report a fault of the responder, unless one is unanswered: the peer comes back by itself. */
  private void reportRemote(PageFault fault, int subtype, boolean writes) {
    if (!remoteFaultPending) {
      remoteFaultPending = faults.report(fault, subtype, number, writes, true);
    }
  }

  private void transmit(Packet packet) {
    Objects.requireNonNull(wire).send(PacketCodec.encode(packet));
  }

  private final class Sending implements RequesterPort {
    @Override
    public MemoryResult gather(long id, long offset, MemorySegment target) {
      return local(wqe(id).move(memory, domain, offset, target, MkeyLayout.LOCAL_READ, false), false);
    }

    @Override
    public MemoryResult scatter(long id, long offset, MemorySegment payload) {
      return local(wqe(id).move(memory, domain, offset, payload, MkeyLayout.LOCAL_WRITE, true), true);
    }

    @Override
    public MemoryResult scatterOriginal(long id, long original) {
      MemorySegment found = MemorySegment.ofArray(new byte[Long.BYTES]);
      HostOrder.set(found, original);
      return scatter(id, 0, found);
    }

    @Override
    public CompletionStatus execute(long id) {
      Wqe wqe = wqe(id);
      if (!wqe.isValidSend()) {
        return CompletionStatus.LOCAL_OPERATION;
      }
      return wqe.isUpdate() ? updates.execute(wqe.bytes, domain, privileged) : CompletionStatus.SUCCESS;
    }

    @Override
    public void complete(long id, CompletionStatus status, long length) {
      Wqe wqe = fetched.remove(id);
      boolean succeeded = status == CompletionStatus.SUCCESS;
      if (succeeded && wqe != null && !wqe.wantsCompletion()) {
        return;
      }
      if (!sendCq.post(succeeded ? CqeLayout.KIND_REQUEST : CqeLayout.KIND_REQUEST_ERROR, status, number, (int) id, 0, length)) {
        broken = true;
      }
    }

    @Override
    public void send(Packet packet) {
      transmit(packet);
    }
  }

  private final class Receiving implements ResponderPort {
    @Override
    public boolean permits(int key, long address, long length, Access access) {
      return memory.permits(domain, key, address, length, right(access));
    }

    private Bits right(Access access) {
      return switch (access) {
        case READ -> MkeyLayout.REMOTE_READ;
        case WRITE -> MkeyLayout.REMOTE_WRITE;
        case ATOMIC -> MkeyLayout.ATOMIC;
      };
    }

    @Override
    public MemoryResult write(int key, long address, MemorySegment payload, long remaining) {
      return remote(memory.write(domain, key, address, payload, remaining, MkeyLayout.REMOTE_WRITE), true);
    }

    @Override
    public MemoryResult read(int key, long address, MemorySegment target, long remaining) {
      return remote(memory.read(domain, key, address, target, remaining, MkeyLayout.REMOTE_READ), false);
    }

    @Override
    public MemoryResult atomic(int key, long address, boolean compared, long compare, long swapOrAdd, long[] original) {
      return remote(memory.atomic(domain, key, address, compared, compare, swapOrAdd, original), true);
    }

    @Override
    public boolean hasReceive() {
      return ModelQp.this.hasReceive();
    }

    @Override
    public long receiveCapacity() {
      return Objects.requireNonNull(receive).length();
    }

    @Override
    public MemoryResult scatterReceive(long offset, MemorySegment payload) {
      MemoryResult moved = seen(Objects.requireNonNull(receive).move(memory, domain, offset, payload, MkeyLayout.LOCAL_WRITE, true));
      if (moved == MemoryResult.FAULT) {
        receiveFault = memory.fault();
      }
      return moved;
    }

    @Override
    public void faultReceive(long behind) {
      reportRemote(Objects.requireNonNull(receiveFault).endingBehind(behind), EqeLayout.FAULT_WQE, true);
    }

    @Override
    public void completeReceive(CompletionStatus status, int opcode, int extra, long length) {
      RcOpcode last = Objects.requireNonNull(RcOpcode.of(opcode));
      int kind =
          switch (last.extra()) {
            case NONE -> CqeLayout.KIND_SEND;
            case INVALIDATE -> CqeLayout.KIND_SEND_INVALIDATE;
            case IMMEDIATE -> last.kind() == RcOpcode.Kind.SEND ? CqeLayout.KIND_SEND_IMMEDIATE : CqeLayout.KIND_WRITE_IMMEDIATE;
          };
      endReceive(kind, status, extra, length);
    }

    @Override
    public boolean invalidate(int key) {
      return memory.invalidate(domain, key);
    }

    @Override
    public void send(Packet packet) {
      transmit(packet);
    }

    @Override
    public void failed(CompletionStatus reason) {
      if (hasReceive()) {
        endReceive(CqeLayout.KIND_RESPONSE_ERROR, reason, 0, 0);
      }
      broken = true;
    }
  }
}
