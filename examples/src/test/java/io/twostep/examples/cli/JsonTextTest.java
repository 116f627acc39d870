package io.twostep.examples.cli;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** What people name their files must not break the JSON. */
class JsonTextTest {
  @Test
  void textIsEscaped() {
    assertThat(new JsonText().value("a\"b\\c\nd\te\u0001\ud800é").toString()).isEqualTo("\"a\\\"b\\\\c\\nd\\te\\u0001\\ud800é\"");
  }

  @Test
  void numbersKeepAtMostThreeDecimals() {
    assertThat(new JsonText().value(1234.56789).toString()).isEqualTo("1234.568");
    assertThat(new JsonText().value(2.0).toString()).isEqualTo("2");
    assertThat(new JsonText().value(0.0).toString()).isEqualTo("0");
  }

  @Test
  void membersAndElementsAreSeparated() {
    JsonText text = new JsonText().open('{').member("a", 1).name("b").open('[').open('{').close('}').value(true).close(']').member("c", "d").close('}');
    assertThat(text.toString()).isEqualTo("{\"a\":1,\"b\":[{},true],\"c\":\"d\"}");
  }
}
