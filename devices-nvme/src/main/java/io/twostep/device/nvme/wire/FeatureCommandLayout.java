package io.twostep.device.nvme.wire;

/**
 * Place what get and set features add to the submission queue entry (Base 5.15, 5.27), and the words of the features in use.
 *
 * <pre>
 *     31  30    11 10  8 7   0
 * 40 |SV|   rsv   | SEL | FID |
 * 44 |     feature specific   |     CDW11 to CDW15
 * </pre>
 */
public final class FeatureCommandLayout {
  /** Dword 10. */
  public static final U32 CDW10 = new U32(40);

  /** In CDW10: the feature, one of {@link FeatureId}. */
  public static final Bits FID = new Bits(7, 0);

  /** In CDW10 of get features: one of the {@code SELECT_} values. */
  public static final Bits SEL = new Bits(10, 8);

  /** In CDW10 of set features: save. */
  public static final Bits SV = Bits.bit(31);

  /** The feature's first word, also returned in dword 0 of the completion. */
  public static final U32 CDW11 = new U32(44);

  /** The feature's second word. */
  public static final U32 CDW12 = new U32(48);

  /** The feature's third word. */
  public static final U32 CDW13 = new U32(52);

  /** The feature's fourth word. */
  public static final U32 CDW14 = new U32(56);

  /** The feature's fifth word. */
  public static final U32 CDW15 = new U32(60);

  /** In SEL: the current value. */
  public static final int SELECT_CURRENT = 0;

  /** In SEL: the default value. */
  public static final int SELECT_DEFAULT = 1;

  /** In SEL: the saved value. */
  public static final int SELECT_SAVED = 2;

  /** In SEL: the capabilities. */
  public static final int SELECT_CAPABILITIES = 3;

  private FeatureCommandLayout() {}
}
