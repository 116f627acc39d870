package io.twostep.examples.fabric;

import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.device.rdma.AccessFlags;
import io.twostep.device.rdma.CompletionQueue;
import io.twostep.device.rdma.Connection;
import io.twostep.device.rdma.Hca;
import io.twostep.device.rdma.HcaConfig;
import io.twostep.device.rdma.HcaDriverPlugin;
import io.twostep.device.rdma.MemoryKey;
import io.twostep.device.rdma.ProtectionDomain;
import io.twostep.device.rdma.QueuePair;
import io.twostep.device.rdma.model.HcaModel;
import io.twostep.device.rdma.model.Wire;
import io.twostep.device.rdma.wire.CompletionStatus;
import io.twostep.dma.DmaStack;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DriverContext;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.Settings;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.ModelMachineConfig;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** A host with an adapter at one end of a wire, a connection over it, and buffers for small messages. One thread works for both hosts of a wire. */
public final class RdmaHost implements AutoCloseable {
  /** The most bytes of a message. */
  public static final int MESSAGE = 4096;

  private static final DeviceAddress ADAPTER = new DeviceAddress("0000:01:00.0");
  private static final int MESSAGES = 8;
  private static final int MOST_MESSAGES = 32;
  private static final int DEPTH = 64;
  private static final int SEGMENTS = 16;
  private static final long INBOX = 0x1000_0000L;
  private static final int PATIENCE = 1_000_000;
  private static final long RECEIVE = 1L << 32;

  private final ModelMachine machine;
  private final Wire wire;
  private final int count;
  private final Runnable onClose;
  private final Hca hca;
  private final ProtectionDomain domain;
  private final CompletionQueue queue;
  private final QueuePair pair;
  private final MemoryBlock messages;
  private final MemoryKey messageKey;
  private final Map<Long, CompletionStatus> ended = new HashMap<>();
  private final ArrayDeque<Received> received = new ArrayDeque<>();
  private @Nullable RdmaHost peer;

  /**
   * A message that arrived.
   *
   * @param buffer which buffer it is in
   * @param length its bytes
   */
  public record Received(int buffer, int length) {}

  /** Make a host of one adapter behind an IOMMU, and nothing else; {@code layers} lie above the IOMMU, outermost first, and are the caller's to close. */
  public static RdmaHost simple(Wire wire, int end, LayerBackend... layers) {
    ModelMachine machine = ModelMachine.create(ModelMachineConfig.of(Map.of("memory", "64M")));
    IommuBackend iommu = new IommuBackend(IommuConfig.defaults());
    return new RdmaHost(
        machine,
        ADAPTER,
        DmaStack.of(iommu, layers),
        wire,
        end,
        MESSAGES,
        () -> {
          iommu.close();
          machine.close();
        });
  }

  /**
   * Plug an adapter into a machine and bring it up.
   *
   * @param end which end of the wire, 0 or 1
   * @param count how many buffers there are for messages each way, 1 to 32: as many may arrive before one is taken, the next waits at the peer
   * @param onClose runs last
   */
  public RdmaHost(ModelMachine machine, DeviceAddress address, DmaStack stack, Wire wire, int end, int count, Runnable onClose) {
    if (count < 1 || count > MOST_MESSAGES) {
      throw new IllegalArgumentException(address + ": " + count + " buffers for messages; there may be 1 to " + MOST_MESSAGES);
    }
    this.machine = machine;
    this.count = count;
    this.wire = wire;
    this.onClose = onClose;
    DeviceSlot slot = machine.plug(address, new HcaModel(wire.end(end)), SlotOptions.DEFAULT);
    hca = Hca.open(DriverContext.of(machine, slot, stack, Settings.defaults(new HcaDriverPlugin())), HcaConfig.DEFAULT);
    domain = hca.newDomain();
    queue = hca.newCompletionQueue(2 * DEPTH);
    pair = hca.newQueuePair(domain, queue, queue, DEPTH, SEGMENTS);
    messages = machine.memory().allocate(2L * count * MESSAGE, MemoryPlacement.SCATTERED);
    messageKey = hca.register(domain, INBOX, messages.ranges(), AccessFlags.LOCAL_WRITE);
    for (int i = 0; i < count; i++) {
      postReceive(i);
    }
  }

  /** Connect this end to its peer's; the peer connects its own. */
  public void connect(RdmaHost to) {
    peer = to;
    pair.connect(to.pair.number(), 1, 1, Connection.DEFAULT);
  }

  /** Return the machine. */
  public ModelMachine machine() {
    return machine;
  }

  /** Return the adapter. */
  public Hca hca() {
    return hca;
  }

  /** Return this end of the connection. */
  public QueuePair pair() {
    return pair;
  }

  /** Let the peer use memory by the key that this returns; to be closed when it shall not any more. */
  public MemoryKey offer(MemoryBlock block, long start, int access) {
    return hca.register(domain, start, block.ranges(), access);
  }

  /** Return the bytes of a message that arrived. */
  public ByteBuffer message(Received message) {
    return buffer(message.buffer()).limit(message.length());
  }

  private ByteBuffer buffer(int index) {
    return messages.segment().asSlice((long) index * MESSAGE, MESSAGE).asByteBuffer();
  }

  /** Have a message's buffer filled again. */
  public void postReceive(int buffer) {
    if (!pair.postReceive(RECEIVE | buffer, messageKey, INBOX + (long) buffer * MESSAGE, MESSAGE)) {
      throw new IllegalStateException("the receive queue has room for all buffers");
    }
  }

  /** Return the first buffer for messages out, empty. */
  public ByteBuffer outgoing() {
    return outgoing(0);
  }

  /** Return a buffer for messages out, empty; its last message has ended. */
  public ByteBuffer outgoing(int index) {
    return buffer(count + index);
  }

  /** Send what was put into {@link #outgoing()}, and await the end of it and of all that was posted before. */
  public CompletionStatus send(long id, int length) {
    if (!trySend(id, 0, length)) {
      throw new IllegalStateException("the send queue is full");
    }
    return await(id);
  }

  /** Send what was put into a buffer for messages out; false, and nothing is sent, while the send queue is full. */
  public boolean trySend(long id, int index, int length) {
    return pair.postSend(id, messageKey, INBOX + (long) (count + index) * MESSAGE, length);
  }

  /** Return how a request ended, or null if it has not. */
  public @Nullable CompletionStatus tryEnded(long id) {
    return ended.remove(id);
  }

  /** Return a message that arrived, or null if there is none. */
  public @Nullable Received tryReceive() {
    return received.poll();
  }

  /** Let the machines go on until {@code id} has ended. */
  public CompletionStatus await(long id) {
    for (int round = 0; !ended.containsKey(id); round++) {
      work(round);
    }
    return Objects.requireNonNull(ended.remove(id));
  }

  /** Let the machines go on until a message arrives. */
  public Received receive() {
    for (int round = 0; received.isEmpty(); round++) {
      work(round);
    }
    return received.remove();
  }

  private void work(int round) {
    if (round > PATIENCE) {
      throw new IllegalStateException(hca.name() + ": the peer does not answer");
    }
    step();
  }

  /** Let both machines go on for a moment, and take what ended and what arrived here. */
  public void step() {
    wire.deliver();
    machine.timers().pause();
    wire.deliver();
    Objects.requireNonNull(peer).machine.timers().pause();
    queue.poll(DEPTH, this::take);
  }

  private void take(QueuePair from, long id, boolean receive, CompletionStatus status, int extra, long length) {
    if (!receive) {
      ended.put(id, status);
    } else if (status == CompletionStatus.SUCCESS) {
      received.add(new Received((int) (id & (RECEIVE - 1)), (int) length));
    }
  }

  @Override
  public void close() {
    pair.close();
    messageKey.close();
    messages.close();
    queue.close();
    domain.close();
    hca.close();
    onClose.run();
  }
}
