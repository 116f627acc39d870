package io.twostep.machine.linux.vfiouser.protocol;

/** Command numbers (specification, "Commands"). */
public final class Command {
  /** Agree on version and capabilities; the first message of a connection. */
  public static final int VERSION = 1;

  /** Client: here is memory for the device. */
  public static final int DMA_MAP = 2;

  /** Client: this memory is no longer the device's. */
  public static final int DMA_UNMAP = 3;

  /** Client: what is the device? */
  public static final int DEVICE_GET_INFO = 4;

  /** Client: what is this region? */
  public static final int DEVICE_GET_REGION_INFO = 5;

  /** Client: which parts of a region are eventfds? */
  public static final int DEVICE_GET_REGION_IO_FDS = 6;

  /** Client: what interrupts of this kind are there? */
  public static final int DEVICE_GET_IRQ_INFO = 7;

  /** Client: signal interrupts by these eventfds, or by none. */
  public static final int DEVICE_SET_IRQS = 8;

  /** Client: read a region. */
  public static final int REGION_READ = 9;

  /** Client: write a region. */
  public static final int REGION_WRITE = 10;

  /** Server: read memory that came without a descriptor. */
  public static final int DMA_READ = 11;

  /** Server: write memory that came without a descriptor. */
  public static final int DMA_WRITE = 12;

  /** Client: reset the device. */
  public static final int DEVICE_RESET = 13;

  private static final String[] NAMES = {
    "", "VERSION", "DMA_MAP", "DMA_UNMAP", "DEVICE_GET_INFO", "DEVICE_GET_REGION_INFO", "DEVICE_GET_REGION_IO_FDS", "DEVICE_GET_IRQ_INFO",
    "DEVICE_SET_IRQS", "REGION_READ", "REGION_WRITE", "DMA_READ", "DMA_WRITE", "DEVICE_RESET"
  };

  private Command() {}

  /** Return the name for messages. */
  public static String name(int command) {
    return command > 0 && command < NAMES.length ? NAMES[command] : "command " + command;
  }
}
