package io.twostep.examples.chart;

/** Colours that people with any colour vision tell apart, on light and on dark grounds, as classes {@code s0} to {@code s7}; {@code ink}, {@code muted} and {@code grid} beside them. */
public final class Palette {
  /** The number of colours; further series begin again. */
  public static final int COLOURS = 8;

  /** Style rules for SVG and HTML. */
  public static final String CSS =
      """
      :root { color-scheme: light dark; --ground: #ffffff; --panel: #f5f6f8; --ink: #1b1f24; --muted: #57606a; --grid: #d0d7de;
        --c0: #d55e00; --c1: #b07d00; --c2: #0072b2; --c3: #56a3d9; --c4: #8a4a76; --c5: #008060; --c6: #6e5494; --c7: #7a7a7a; }
      @media (prefers-color-scheme: dark) { :root { --ground: #14171a; --panel: #1d2125; --ink: #e6e8ea; --muted: #a0a8b0; --grid: #3a4047;
        --c0: #f08a4b; --c1: #e6b422; --c2: #4ea3e0; --c3: #9ccff2; --c4: #d99bc5; --c5: #3cc29a; --c6: #b39ddb; --c7: #b5b5b5; } }
      @media print { :root { color-scheme: light; --ground: #ffffff; --panel: #ffffff; --ink: #000000; --muted: #444444; --grid: #bbbbbb;
        --c0: #d55e00; --c1: #b07d00; --c2: #0072b2; --c3: #56a3d9; --c4: #8a4a76; --c5: #008060; --c6: #6e5494; --c7: #7a7a7a; } }
      svg text { font: 12px system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: var(--ink); }
      svg .muted { fill: var(--muted); } svg .grid { stroke: var(--grid); stroke-width: 1; fill: none; } svg .ground { fill: var(--ground); }
      .line { fill: none; stroke-width: 2; } .link { fill: none; stroke-width: 1; opacity: 0.55; } .band { stroke: none; opacity: 0.18; }
      .f0 { fill: var(--c0); } .f1 { fill: var(--c1); } .f2 { fill: var(--c2); } .f3 { fill: var(--c3); }
      .f4 { fill: var(--c4); } .f5 { fill: var(--c5); } .f6 { fill: var(--c6); } .f7 { fill: var(--c7); }
      .s0 { stroke: var(--c0); } .s1 { stroke: var(--c1); } .s2 { stroke: var(--c2); } .s3 { stroke: var(--c3); }
      .s4 { stroke: var(--c4); } .s5 { stroke: var(--c5); } .s6 { stroke: var(--c6); } .s7 { stroke: var(--c7); }
      """;

  private Palette() {}

  /** Return the class that fills with a series' colour. */
  public static String fill(int series) {
    return "f" + series % COLOURS;
  }

  /** Return the class that draws with a series' colour. */
  public static String stroke(int series) {
    return "s" + series % COLOURS;
  }
}
