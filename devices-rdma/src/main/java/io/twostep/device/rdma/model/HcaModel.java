package io.twostep.device.rdma.model;

import io.twostep.device.rdma.transport.Packet;
import io.twostep.device.rdma.transport.PacketCodec;
import io.twostep.device.rdma.transport.Requester;
import io.twostep.device.rdma.wire.RegisterLayout;
import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.DeviceModel;
import io.twostep.dma.spi.DeviceSlot;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A host channel adapter in software, at one end of a {@link Wire}. Called by its machine under one lock. */
public final class HcaModel implements DeviceModel {
  private static final int VENDOR = 0x7473;
  private static final int DEVICE = 0x6863;
  private static final int INFINIBAND = 0x020700;
  private static final int WORD = 32;
  private static final long LOW = 0xffffffffL;

  private final WireEnd wire;
  private final HcaModelConfig config;
  private final ArrayDeque<Integer> rung = new ArrayDeque<>();
  private @Nullable Commands commands;
  private @Nullable Signals signals;
  private long commandAddress;
  private boolean commandRung;
  private long alarm = Requester.NEVER;
  private long dropped;

  /** Create an adapter that reaches memory itself. */
  public HcaModel(WireEnd wire) {
    this(wire, HcaModelConfig.DEFAULT);
  }

  /** Create an adapter. */
  public HcaModel(WireEnd wire, HcaModelConfig config) {
    this.wire = wire;
    this.config = config;
  }

  /** Return how many packets were dropped because they were none, or for no queue pair. */
  public long dropped() {
    return dropped;
  }

  @Override
  public Identity identity() {
    return new Identity(VENDOR, DEVICE, INFINIBAND, 1);
  }

  @Override
  public List<BarSpec> bars() {
    return List.of(new BarSpec(DeviceSlot.Bar.Kind.REGISTERS, RegisterLayout.LENGTH));
  }

  @Override
  public int vectors() {
    return 0;
  }

  @Override
  public void connect(BusMaster bus, Signals to) {
    commands = new Commands(bus, new Translator(bus), wire);
    signals = to;
    wire.listen(to::wake);
  }

  @Override
  public long read(int bar, long offset, int width) {
    return offset == RegisterLayout.CAPABILITIES && config.mastersBus() ? RegisterLayout.MASTERS_BUS : 0;
  }

  @Override
  public void write(int bar, long offset, int width, long value) {
    if (offset == RegisterLayout.COMMAND_HIGH) {
      commandAddress = (commandAddress & LOW) | value << WORD;
    } else if (offset == RegisterLayout.COMMAND_LOW) {
      commandAddress = (commandAddress & ~LOW) | (value & LOW);
    } else if (offset == RegisterLayout.COMMAND_DOORBELL) {
      commandRung = true;
    } else if (offset == RegisterLayout.SEND_DOORBELL) {
      rung.add((int) value);
    }
    if (signals != null) {
      signals.wake();
    }
  }

  @Override
  public void reset() {
    if (commands != null) {
      commands.clear();
    }
    rung.clear();
    commandAddress = 0;
    commandRung = false;
    alarm = Requester.NEVER;
  }

  @Override
  public boolean step(int budget) {
    Commands all = commands;
    Signals host = signals;
    if (all == null || host == null) {
      return false;
    }
    long now = host.nanoTime();
    if (commandRung) {
      commandRung = false;
      all.execute(commandAddress, now);
    }
    for (Integer number = rung.poll(); number != null; number = rung.poll()) {
      ModelQp queuePair = all.queuePairs.get(number);
      if (queuePair != null) {
        queuePair.fetchSends();
      }
    }
    for (int left = budget; left > 0 && !wire.isEmpty(); left--) {
      receive(all, now);
    }
    boolean more = !wire.isEmpty();
    long next = Requester.NEVER;
    for (ModelQp queuePair : all.queuePairs.values()) {
      more |= queuePair.step(now, budget);
      next = Math.min(next, queuePair.nextDeadline());
    }
    if (config.pollNanos() != 0 && !all.queuePairs.isEmpty()) {
      next = Math.min(next, now + config.pollNanos());
    }
    wakeAt(host, now, next);
    return more;
  }

  private void receive(Commands all, long now) {
    MemorySegment bytes = wire.poll();
    if (bytes == null) {
      return;
    }
    ModelQp target = null;
    if (PacketCodec.decode(bytes) instanceof PacketCodec.Decoded.Good good) {
      Packet packet = good.packet();
      target = all.queuePairs.get(packet.destination());
      if (target != null) {
        target.receive(now, packet);
      }
    }
    dropped += target == null ? 1 : 0;
  }

  /** Ask for a turn at {@code deadline} unless an earlier one is coming. */
  private void wakeAt(Signals host, long now, long deadline) {
    if (alarm <= now) {
      alarm = Requester.NEVER;
    }
    if (deadline < alarm) {
      alarm = deadline;
      host.wakeAfter(Math.max(0, deadline - now));
    }
  }

  @Override
  public void close() {
    wire.close();
  }
}
