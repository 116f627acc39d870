package io.twostep.device.rdma.wire;

/** Place the registers of BAR 0: the initialization segment's first words, and the doorbell of send queues. Values are numbers; a real adapter takes them big-endian. */
public final class RegisterLayout {
  /** Bytes of the BAR. */
  public static final long LENGTH = 0x1000;

  /** Capabilities: {@link #MASTERS_BUS}. */
  public static final long CAPABILITIES = 0x04;

  /** In CAPABILITIES: the adapter reaches memory itself. One that has its host's CPU copy does not. */
  public static final int MASTERS_BUS = 1;

  /** Upper half of the DMA address of the command entry. */
  public static final long COMMAND_HIGH = 0x10;

  /** Lower half of the DMA address of the command entry. */
  public static final long COMMAND_LOW = 0x14;

  /** Command doorbell: any write starts the command. */
  public static final long COMMAND_DOORBELL = 0x18;

  /** Send doorbell, 64 bits: the queue pair's number; its doorbell record says how far the queue is filled. */
  public static final long SEND_DOORBELL = 0x800;

  /** What every register of an adapter reads that is gone. */
  public static final int GONE = -1;

  private RegisterLayout() {}
}
