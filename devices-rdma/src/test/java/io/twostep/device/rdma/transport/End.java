package io.twostep.device.rdma.transport;

import io.twostep.device.rdma.model.WireEnd;
import io.twostep.device.rdma.wire.CompletionStatus;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/** One end of a connection over plain arrays: a requester and a responder with ports that record, and faults on demand. */
final class End {
  static final int KEY = 0x1234;
  private static final ValueLayout.OfLong WORD = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  final MemorySegment memory;
  final Requester requester;
  final Responder responder;
  final WireEnd wire;
  final List<Done> completions = new ArrayList<>();
  final List<Received> receives = new ArrayList<>();
  final ArrayDeque<byte[]> posted = new ArrayDeque<>();
  final Map<Long, MemorySegment> local = new HashMap<>();
  final Set<Integer> revoked = new HashSet<>();
  final List<Packet> sent = new ArrayList<>();
  final List<Long> receiveFaults = new ArrayList<>();
  @Nullable CompletionStatus failure;
  long atomicsExecuted;
  int bad;

  /** Whether the next access to remote memory, and to local memory, meets an absent page. */
  BooleanSupplier remoteFault = () -> false;

  BooleanSupplier localFault = () -> false;
  boolean faulted;

  record Done(long id, CompletionStatus status, long length) {}

  record Received(CompletionStatus status, int opcode, int extra, byte[] data) {}

  End(RcConfig config, WireEnd wire, int memoryBytes) {
    this.wire = wire;
    memory = MemorySegment.ofArray(new byte[memoryBytes]);
    requester = new Requester(config, new Sending());
    responder = new Responder(config, new Receiving());
  }

  void post(long id, Verb verb, byte[] data, long address, int extra, long swapOrAdd, long compare, boolean fence) {
    local.put(id, MemorySegment.ofArray(data));
    requester.post(new WorkRequest(id, verb, data.length, address, KEY, extra, swapOrAdd, compare, fence));
  }

  void post(long id, Verb verb, byte[] data, long address) {
    post(id, verb, data, address, 0, 0, 0, false);
  }

  /** Take all packets that wait, and send up to {@code budget}; returns whether anything happened. */
  boolean step(long now, int budget) {
    boolean busy = !wire.isEmpty();
    for (MemorySegment bytes = wire.poll(); bytes != null; bytes = wire.poll()) {
      switch (PacketCodec.decode(bytes)) {
        case PacketCodec.Decoded.Good good -> {
          if (good.packet().opcode().kind().isResponse()) {
            requester.receive(now, good.packet());
          } else {
            responder.receive(good.packet());
          }
        }
        case PacketCodec.Decoded.Bad flaw -> bad++;
      }
    }
    int before = sent.size();
    responder.step(budget);
    requester.step(now, budget);
    if (faulted) {
      faulted = false;
      requester.resume(now);
      return true;
    }
    return busy || sent.size() != before;
  }

  private void transmit(Packet packet) {
    sent.add(packet);
    wire.send(PacketCodec.encode(packet));
  }

  private boolean inBounds(int key, long address, long length) {
    return key == KEY && !revoked.contains(key) && address >= 0 && length <= memory.byteSize() && address <= memory.byteSize() - length;
  }

  private final class Sending implements RequesterPort {
    @Override
    public MemoryResult gather(long id, long offset, MemorySegment target) {
      if (localFault.getAsBoolean()) {
        faulted = true;
        return MemoryResult.FAULT;
      }
      MemorySegment.copy(local.get(id), offset, target, 0, target.byteSize());
      return MemoryResult.DONE;
    }

    @Override
    public MemoryResult scatter(long id, long offset, MemorySegment payload) {
      if (localFault.getAsBoolean()) {
        faulted = true;
        return MemoryResult.FAULT;
      }
      MemorySegment.copy(payload, 0, local.get(id), offset, payload.byteSize());
      return MemoryResult.DONE;
    }

    @Override
    public MemoryResult scatterOriginal(long id, long original) {
      if (localFault.getAsBoolean()) {
        faulted = true;
        return MemoryResult.FAULT;
      }
      local.get(id).set(WORD, 0, original);
      return MemoryResult.DONE;
    }

    @Override
    public CompletionStatus execute(long id) {
      return local.containsKey(id) ? CompletionStatus.SUCCESS : CompletionStatus.LOCAL_OPERATION;
    }

    @Override
    public void complete(long id, CompletionStatus status, long length) {
      completions.add(new Done(id, status, length));
    }

    @Override
    public void send(Packet packet) {
      transmit(packet);
    }
  }

  private final class Receiving implements ResponderPort {
    @Override
    public boolean permits(int key, long address, long length, Access access) {
      return inBounds(key, address, length);
    }

    @Override
    public MemoryResult write(int key, long address, MemorySegment payload, long remaining) {
      if (remoteFault.getAsBoolean()) {
        return MemoryResult.FAULT;
      }
      if (!inBounds(key, address, payload.byteSize())) {
        return MemoryResult.DENIED;
      }
      MemorySegment.copy(payload, 0, memory, address, payload.byteSize());
      return MemoryResult.DONE;
    }

    @Override
    public MemoryResult read(int key, long address, MemorySegment target, long remaining) {
      if (remoteFault.getAsBoolean()) {
        return MemoryResult.FAULT;
      }
      if (!inBounds(key, address, target.byteSize())) {
        return MemoryResult.DENIED;
      }
      MemorySegment.copy(memory, address, target, 0, target.byteSize());
      return MemoryResult.DONE;
    }

    @Override
    public MemoryResult atomic(int key, long address, boolean compared, long compare, long swapOrAdd, long[] original) {
      if (remoteFault.getAsBoolean()) {
        return MemoryResult.FAULT;
      }
      atomicsExecuted++;
      original[0] = memory.get(WORD, address);
      if (!compared) {
        memory.set(WORD, address, original[0] + swapOrAdd);
      } else if (original[0] == compare) {
        memory.set(WORD, address, swapOrAdd);
      }
      return MemoryResult.DONE;
    }

    @Override
    public boolean hasReceive() {
      return !posted.isEmpty();
    }

    @Override
    public long receiveCapacity() {
      return posted.getFirst().length;
    }

    @Override
    public MemoryResult scatterReceive(long offset, MemorySegment payload) {
      if (remoteFault.getAsBoolean()) {
        return MemoryResult.FAULT;
      }
      MemorySegment.copy(payload, 0, MemorySegment.ofArray(posted.getFirst()), offset, payload.byteSize());
      return MemoryResult.DONE;
    }

    @Override
    public void faultReceive(long behind) {
      receiveFaults.add(behind);
    }

    @Override
    public void completeReceive(CompletionStatus status, int opcode, int extra, long length) {
      byte[] buffer = posted.removeFirst();
      receives.add(new Received(status, opcode, extra, java.util.Arrays.copyOf(buffer, (int) Math.min(length, buffer.length))));
    }

    @Override
    public boolean invalidate(int key) {
      return revoked.add(key);
    }

    @Override
    public void send(Packet packet) {
      transmit(packet);
    }

    @Override
    public void failed(CompletionStatus reason) {
      failure = reason;
    }
  }
}
