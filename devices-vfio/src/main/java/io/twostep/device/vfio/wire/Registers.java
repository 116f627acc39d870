package io.twostep.device.vfio.wire;

/**
 * Places the registers of BAR 0, all of 64 bits. The first half is the host's, the queues are the guest's.
 *
 * <pre>
 * 0x000 IDENTITY       0x008 CAPABILITIES   0x010 OPCODE         0x018 STATUS
 * 0x020 ARGUMENT 0..5                       0x050 RESULT 0..2
 * 0x068 GUEST_BASE     0x070 GUEST_LENGTH   0x078 MAILBOX
 * 0x080 PEER_BASE      0x088 PEER_LENGTH
 * 0x100 + 0x40 q: SUBMISSIONS, COMPLETIONS, ENTRIES, TAIL, HEAD
 * </pre>
 */
public final class Registers {
  /** Bytes of the BAR. */
  public static final long LENGTH = 0x1000;

  /** Reads {@link #IDENTITY_VALUE}. */
  public static final long IDENTITY = 0x000;

  /** "2STPMIGR" read as bytes. */
  public static final long IDENTITY_VALUE = 0x5247_494d_5054_5332L;

  /** Bits 2:0 migration features, 8 tracks writes, 23:16 queues, 63:32 most bytes of an image. */
  public static final long CAPABILITIES = 0x008;

  /** In CAPABILITIES: the device can report which pages of the guest it wrote. */
  public static final long TRACKS = 1 << 8;

  /** Where the queues stand in CAPABILITIES. */
  public static final int QUEUES_SHIFT = 16;

  /** Where the image's size stands in CAPABILITIES. */
  public static final int IMAGE_SHIFT = 32;

  /** A write starts the command of that {@link Opcode}. */
  public static final long OPCODE = 0x010;

  /** {@link #BUSY}, {@link #DONE} or what went wrong. */
  public static final long STATUS = 0x018;

  /** First of six arguments of the next command. */
  public static final long ARGUMENTS = 0x020;

  /** First of three results of the last command. */
  public static final long RESULTS = 0x050;

  /** Added to every address that the guest uses; the host's, and never part of the device's state. */
  public static final long GUEST_BASE = 0x068;

  /** Bytes that the guest may address. */
  public static final long GUEST_LENGTH = 0x070;

  /** What peers write is added up here. */
  public static final long MAILBOX = 0x078;

  /** Added to every address that the guest posts to; the host's, and never part of the device's state. */
  public static final long PEER_BASE = 0x080;

  /** Bytes that the guest may post to; 0 for none. */
  public static final long PEER_LENGTH = 0x088;

  /** First register of queue 0. */
  public static final long QUEUES = 0x100;

  /** Bytes from the registers of a queue to those of the next. */
  public static final long QUEUE_STRIDE = 0x40;

  /** In a queue: guest address of the submission entries. */
  public static final long SUBMISSIONS = 0x00;

  /** In a queue: guest address of the completion entries. */
  public static final long COMPLETIONS = 0x08;

  /** In a queue: entries of each, a power of two; 0 turns the queue off and ends its commands, which complete no more. One that is turned on counts from 0. */
  public static final long ENTRIES = 0x10;

  /** In a queue: entries submitted, modulo 2^32; the doorbell. */
  public static final long TAIL = 0x18;

  /** In a queue: completions taken, modulo 2^32. */
  public static final long HEAD = 0x20;

  /** STATUS: a command is running. */
  public static final int BUSY = 0;

  /** STATUS: done. */
  public static final int DONE = 1;

  /** STATUS: not a command, or not one for the state the device is in. */
  public static final int BAD_COMMAND = 2;

  /** STATUS: the bus refused an access that the command needed. */
  public static final int BUS_ERROR = 3;

  /** STATUS: an image that is not of such a device, or damaged. */
  public static final int BAD_IMAGE = 4;

  /** What every register reads of a device that is gone. */
  public static final long GONE = -1L;

  private Registers() {}
}
