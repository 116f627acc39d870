package io.twostep.device.vfio.stream;

/**
 * Places what a stream is made of: one preamble, records, one END record, and nothing behind it. Little-endian.
 *
 * <pre>
 * preamble  0        8       10      12       16        24      32         36          length-4
 *           +--------+-------+-------+--------+---------+-------+----------+----//-----+-------+
 *           | magic  | major | minor | length | session | epoch | reserved | (a newer  | crc   |
 *           |        |       |       |        |         |       |          |   minor)  |       |
 *           +--------+-------+-------+--------+---------+-------+----------+----//-----+-------+
 *
 * record    0        8        12    16         20      24           24+size
 *           +--------+--------+-----+----------+-------+-----//-----+-------------+
 *           | size   | flags  | tag | sequence | crc   | payload    | payload crc |
 *           +--------+--------+-----+----------+-------+-----//-----+-------------+
 * </pre>
 *
 * <p>The first 16 bytes of a record are those of the mlx5 driver's migration records. Checksums are CRC-32C: of the preamble or the header before them, of the payload. Records are numbered from 0. The END record
 * carries the records and the bytes before it, and their SHA-256.
 */
public final class StreamLayout {
  /** "TWOSTEPM" read as bytes. */
  public static final long MAGIC = 0x4d50_4554_534f_5754L;

  /** Major version: another one is refused. */
  public static final int MAJOR = 1;

  /** Minor version: a newer one may have a longer preamble and optional records, which are skipped. */
  public static final int MINOR = 0;

  /** Bytes of this version's preamble. */
  public static final int PREAMBLE = 40;

  /** Most bytes of any preamble. */
  public static final int MAX_PREAMBLE = 4096;

  /** Bytes of a record's header. */
  public static final int HEADER = 24;

  /** Bytes behind a record's payload. */
  public static final int TRAILER = 4;

  /** Bytes of a record beside its payload. */
  public static final int OVERHEAD = HEADER + TRAILER;

  /** Most bytes of a payload: what a reader sets aside. */
  public static final int MAX_PAYLOAD = (1 << 20) + 64;

  /** Flag: a reader that does not know the tag may skip the record. */
  public static final int OPTIONAL = 1;

  /** Tag of the END record: records u64, bytes u64, SHA-256. */
  public static final int END_TAG = 2;

  /** Bytes of the END record's payload. */
  public static final int END_PAYLOAD = 48;

  static final int MAJOR_AT = 8;
  static final int MINOR_AT = 10;
  static final int LENGTH_AT = 12;
  static final int SESSION_AT = 16;
  static final int EPOCH_AT = 24;
  static final int FLAGS_AT = 8;
  static final int TAG_AT = 12;
  static final int SEQUENCE_AT = 16;
  static final int CRC_AT = 20;

  private StreamLayout() {}
}
