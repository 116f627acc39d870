package io.twostep.device.nvme.wire;

/**
 * Name the statuses of completions: the status field shifted so that its first bit is bit 0 (Base 3.3.3.2.1, NVM 3.1.2).
 *
 * <pre>
 *  14  13   12 11 10  8 7  0
 * |DNR|MORE| CRD | SCT | SC |     a status constant here is SCT and SC together
 * </pre>
 */
public final class StatusCode {
  /** Status code. */
  public static final Bits SC = new Bits(7, 0);

  /** Status code type. */
  public static final Bits SCT = new Bits(10, 8);

  /** SCT and SC: what the constants are compared with. */
  public static final Bits CODE = new Bits(10, 0);

  /** Command retry delay: 0 none, else Identify CRDT1 to CRDT3. */
  public static final Bits CRD = new Bits(12, 11);

  /** More information is in the error log. */
  public static final Bits MORE = Bits.bit(13);

  /** Do not retry. */
  public static final Bits DNR = Bits.bit(14);

  /** Success. */
  public static final int SUCCESS = 0x000;

  /** Invalid command opcode. */
  public static final int INVALID_OPCODE = 0x001;

  /** Invalid field in command. */
  public static final int INVALID_FIELD = 0x002;

  /** Command id conflict. */
  public static final int COMMAND_ID_CONFLICT = 0x003;

  /** Data transfer error: host memory did not answer. */
  public static final int DATA_TRANSFER_ERROR = 0x004;

  /** Aborted because of power loss. */
  public static final int ABORTED_POWER_LOSS = 0x005;

  /** Internal error. */
  public static final int INTERNAL_ERROR = 0x006;

  /** Aborted by an abort command. */
  public static final int ABORT_REQUESTED = 0x007;

  /** Aborted because its submission queue was deleted. */
  public static final int ABORTED_QUEUE_DELETED = 0x008;

  /** Invalid namespace or format. */
  public static final int INVALID_NAMESPACE_OR_FORMAT = 0x00b;

  /** Command sequence error. */
  public static final int COMMAND_SEQUENCE_ERROR = 0x00c;

  /** Invalid SGL segment descriptor. */
  public static final int INVALID_SGL_SEGMENT_DESCRIPTOR = 0x00d;

  /** Invalid number of SGL descriptors. */
  public static final int INVALID_NUMBER_OF_SGL_DESCRIPTORS = 0x00e;

  /** SGL shorter or longer than the data. */
  public static final int DATA_SGL_LENGTH_INVALID = 0x00f;

  /** Metadata SGL shorter or longer than the metadata. */
  public static final int METADATA_SGL_LENGTH_INVALID = 0x010;

  /** SGL descriptor type invalid. */
  public static final int SGL_DESCRIPTOR_TYPE_INVALID = 0x011;

  /** Invalid use of the controller memory buffer. */
  public static final int INVALID_USE_OF_CMB = 0x012;

  /** PRP offset invalid. */
  public static final int PRP_OFFSET_INVALID = 0x013;

  /** Atomic write unit exceeded. */
  public static final int ATOMIC_WRITE_UNIT_EXCEEDED = 0x014;

  /** Operation denied. */
  public static final int OPERATION_DENIED = 0x015;

  /** SGL offset invalid. */
  public static final int SGL_OFFSET_INVALID = 0x016;

  /** SGL data block address or length not a multiple of four. */
  public static final int SGL_DATA_BLOCK_GRANULARITY_INVALID = 0x01e;

  /** Command not supported for a queue in the controller memory buffer. */
  public static final int QUEUE_IN_CMB_UNSUPPORTED = 0x01f;

  /** Namespace is write protected. */
  public static final int NAMESPACE_WRITE_PROTECTED = 0x020;

  /** Command interrupted: try again. */
  public static final int COMMAND_INTERRUPTED = 0x021;

  /** Transient transport error. */
  public static final int TRANSIENT_TRANSPORT_ERROR = 0x022;

  /** Admin command needs media that is not ready. */
  public static final int MEDIA_NOT_READY = 0x024;

  /** LBA out of range. */
  public static final int LBA_OUT_OF_RANGE = 0x080;

  /** Capacity exceeded. */
  public static final int CAPACITY_EXCEEDED = 0x081;

  /** Namespace not ready. */
  public static final int NAMESPACE_NOT_READY = 0x082;

  /** Reservation conflict. */
  public static final int RESERVATION_CONFLICT = 0x083;

  /** Format in progress. */
  public static final int FORMAT_IN_PROGRESS = 0x084;

  /** Completion queue invalid. */
  public static final int COMPLETION_QUEUE_INVALID = 0x100;

  /** Invalid queue identifier. */
  public static final int INVALID_QUEUE_ID = 0x101;

  /** Invalid queue size. */
  public static final int INVALID_QUEUE_SIZE = 0x102;

  /** Abort command limit exceeded. */
  public static final int ABORT_LIMIT_EXCEEDED = 0x103;

  /** Asynchronous event request limit exceeded. */
  public static final int ASYNC_EVENT_LIMIT_EXCEEDED = 0x105;

  /** Invalid interrupt vector. */
  public static final int INVALID_INTERRUPT_VECTOR = 0x108;

  /** Invalid log page. */
  public static final int INVALID_LOG_PAGE = 0x109;

  /** Invalid format. */
  public static final int INVALID_FORMAT = 0x10a;

  /** Invalid queue deletion: submission queues still use it. */
  public static final int INVALID_QUEUE_DELETION = 0x10c;

  /** Feature identifier not saveable. */
  public static final int FEATURE_NOT_SAVEABLE = 0x10d;

  /** Feature not changeable. */
  public static final int FEATURE_NOT_CHANGEABLE = 0x10e;

  /** Feature not namespace specific. */
  public static final int FEATURE_NOT_NAMESPACE_SPECIFIC = 0x10f;

  /** Conflicting attributes. */
  public static final int CONFLICTING_ATTRIBUTES = 0x180;

  /** Invalid protection information. */
  public static final int INVALID_PROTECTION_INFORMATION = 0x181;

  /** Attempted write to a read-only range. */
  public static final int READ_ONLY_RANGE = 0x182;

  /** Command size limit exceeded. */
  public static final int COMMAND_SIZE_LIMIT_EXCEEDED = 0x183;

  /** Write fault. */
  public static final int WRITE_FAULT = 0x280;

  /** Unrecovered read error. */
  public static final int UNRECOVERED_READ_ERROR = 0x281;

  /** End-to-end guard check error. */
  public static final int GUARD_CHECK_ERROR = 0x282;

  /** End-to-end application tag check error. */
  public static final int APPLICATION_TAG_CHECK_ERROR = 0x283;

  /** End-to-end reference tag check error. */
  public static final int REFERENCE_TAG_CHECK_ERROR = 0x284;

  /** Compare failure. */
  public static final int COMPARE_FAILURE = 0x285;

  /** Access denied. */
  public static final int ACCESS_DENIED = 0x286;

  /** Deallocated or unwritten block. */
  public static final int DEALLOCATED_BLOCK = 0x287;

  /** Host pathing error: made by the host, never on the wire. */
  public static final int HOST_PATHING_ERROR = 0x370;

  /** Aborted by the host: made by the host, never on the wire. */
  public static final int HOST_ABORTED = 0x371;

  private StatusCode() {}
}
