"""Mistakes that a developer might make, each with the tests that must fail because of it."""

from typing import NamedTuple

MONEY = "tests/unit/test_money.py"
PAYLOADS = "tests/unit/test_payloads.py"
EXACT_JSON = "tests/unit/test_exact_json.py"
PAYMENT = "tests/unit/test_payment.py"
EVENTS = "tests/unit/test_events.py"
VERIFICATION = "tests/unit/test_verification.py"
ERRORS = "tests/unit/test_errors.py"
POLICIES = "tests/unit/test_policies.py"
CHARGES = "tests/unit/test_charges.py"
FAILURES = "tests/unit/test_failures.py"
ADAPTERS = "tests/unit/test_adapters.py"
KAFKA = "tests/unit/test_kafka.py"
DATABASE_FAILURES = "tests/unit/test_database_failures.py"
SCHEMAS = "tests/unit/test_schemas.py"
HTTP = "tests/unit/test_http.py"
IDENTITY = "tests/unit/test_identity.py"
PLACES = "tests/unit/test_places.py"
HOSTILE = "tests/unit/test_hostile_requests.py"
IDEMPOTENCY = "tests/unit/test_idempotency.py"
REDIS = "tests/unit/test_redis.py"
SAGA = "tests/workflow/test_payment.py"
CANCELLATION = "tests/workflow/test_cancellation.py"
RECONCILIATION = "tests/workflow/test_reconciliation.py"
SCHEMA = "tests/integration/test_schema.py"
STORE = "tests/integration/test_store.py"
REFUND_SAGA = "tests/workflow/test_refund.py"
REFUND_HTTP = "tests/unit/test_refunds.py"
SETTINGS = "tests/unit/test_settings.py"
PRODUCTION = "tests/unit/test_production.py"
ENCRYPTION = "tests/integration/test_encryption.py"
REFUNDS = "tests/integration/test_refunds.py"
MIGRATIONS = "tests/integration/test_migrations.py"
REPETITION = "tests/integration/test_repetition.py"


class Bug(NamedTuple):
    """In `file`, `before` becomes `after`; then the tests of `caught_by` must fail."""

    name: str
    file: str
    before: str
    after: str
    caught_by: str
    at_import: bool = False
    """Whether the tests may fail by not even being collected."""


DOMAIN = (
    Bug(
        "float amounts",
        "domain/money.py",
        "units = Decimal(amount).scaleb(exponent)",
        "units = Decimal(float(amount) * 10**exponent)",
        MONEY,
    ),
    Bug(
        "fractions of a cent are cut off",
        "domain/money.py",
        "if units != units.to_integral_value():",
        "if units < 0:",
        MONEY,
    ),
    Bug(
        "every currency has cents",
        "domain/money.py",
        ".scaleb(-self.exponent)",
        ".scaleb(-2)",
        MONEY,
    ),
    Bug(
        "a currency that is withdrawn cannot be read",
        "domain/money.py",
        "WITHDRAWN.get(str(currency), _UNKNOWN)",
        "_UNKNOWN",
        MONEY,
    ),
    Bug(
        "money is written in another form than ever",
        "domain/money.py",
        'members.pop("exponent", None)',
        "members",
        PAYLOADS,
    ),
    Bug(
        "an error code of another version cannot be read",
        "domain/errors.py",
        'RecordedCode = Annotated[ErrorCode | str, Field(union_mode="left_to_right")]',
        "RecordedCode = ErrorCode",
        PAYLOADS,
    ),
    Bug(
        "a known error code is read as text",
        "domain/errors.py",
        "RecordedCode = Annotated[ErrorCode | str,",
        "RecordedCode = Annotated[str | ErrorCode,",
        PAYLOADS,
    ),
    Bug(
        "a payment method of another version cannot be taken up",
        "domain/payment.py",
        'RecordedMethod = Annotated[PaymentMethod | str, Field(union_mode="left_to_right")]',
        "RecordedMethod = PaymentMethod",
        RECONCILIATION,
    ),
    Bug(
        "a refund is read with the decimal places of today",
        "api/schemas.py",
        "amount.parse_same(self.amount)",
        "Money.parse(self.amount, amount.currency)",
        REFUND_HTTP,
    ),
    Bug(
        "recorded amounts are read with the decimal places of today",
        "db/payments.py",
        """        exponent=row["currency_exponent"],
""",
        "",
        f"{STORE}::test_what_another_version_recorded_hides_nothing",
    ),
    Bug(
        "JSON numbers are read as floats",
        "domain/exact_json.py",
        "parse_float=str",
        "parse_float=float",
        EXACT_JSON,
    ),
    Bug(
        "JSON numbers are written as floats",
        "domain/exact_json.py",
        'orjson.Fragment(format(value, "f"))',
        "orjson.Fragment(str(float(value)))",
        EXACT_JSON,
    ),
    Bug(
        "event id from uuid4",
        "domain/names.py",
        'return uuid5(_EVENT_NAMESPACE, f"{subject}/{topic}")',
        "from uuid import uuid4\n\n    return uuid4()",
        EVENTS,
    ),
    Bug(
        "both events of a payment have one id",
        "domain/names.py",
        'f"{subject}/{topic}"',
        "str(subject)",
        EVENTS,
    ),
    Bug(
        "refund and charge share a key",
        "domain/names.py",
        '_refund"',
        '_charge"',
        "tests/unit/test_names.py",
    ),
    Bug(
        "events are keyed by payment",
        "domain/events.py",
        "return str(self.payment.order_id)",
        "return str(self.payment.id)",
        EVENTS,
    ),
    Bug(
        "events have members that are null",
        "domain/events.py",
        "by_alias=True, exclude_none=True",
        "by_alias=True",
        EVENTS,
    ),
    Bug(
        "payment-failed frees whatever reservation was asked for",
        "domain/events.py",
        "succeeded else payment.released_reservation_id",
        "succeeded else payment.reservation_id",
        EVENTS,
    ),
    Bug(
        "payment-failed names a confirmed reservation",
        "domain/verification.py",
        " and self.status != CONFIRMED",
        "",
        VERIFICATION,
    ),
    Bug(
        "payment-failed frees another order's seat",
        "domain/verification.py",
        "return self.order_id == order_id and ",
        "return ",
        VERIFICATION,
    ),
    Bug(
        "customer is not compared",
        "domain/verification.py",
        "if order.customer_id != str(instruction.customer_id):",
        "if not order.customer_id:",
        VERIFICATION,
    ),
    Bug(
        "currency is not compared",
        "domain/verification.py",
        "if order.currency not in {None, price.currency}:",
        'if order.currency == "":',
        VERIFICATION,
    ),
    Bug(
        "order can be underpaid",
        "domain/verification.py",
        "if order.total != price.amount:",
        "if order.total < price.amount:",
        VERIFICATION,
    ),
    Bug(
        "order need only not be paid",
        "domain/verification.py",
        "if order.state != PENDING:",
        'if order.state == "paid":',
        VERIFICATION,
    ),
    Bug(
        "reservation of another order is taken",
        "domain/verification.py",
        "    if reservation.order_id not in {None, instruction.order_id}:\n"
        '        raise _not_active("it holds another order\'s seats")\n',
        "",
        VERIFICATION,
    ),
    Bug(
        "reservation may lapse during the charge",
        "domain/verification.py",
        "reservation.lapses_before(now + charge_time)",
        "reservation.lapses_before(now)",
        VERIFICATION,
    ),
    Bug(
        "voided charge counts as money taken",
        "domain/gateway.py",
        "if charge.state is not ChargeState.CAPTURED:",
        "if charge.state is ChargeState.DECLINED:",
        PAYMENT,
    ),
    Bug(
        "decline is told as a timeout",
        "domain/gateway.py",
        "if self.state is not ChargeState.VOIDED:",
        "if self.state is ChargeState.CAPTURED:",
        PAYMENT,
    ),
    Bug(
        "fingerprint ignores the amount",
        "domain/payment.py",
        '"requested_at", "resumed"}',
        '"requested_at", "resumed", "amount"}',
        IDEMPOTENCY,
    ),
    Bug(
        "fingerprint depends on the time",
        "domain/payment.py",
        '{"payment_id", "requested_at", "resumed"}',
        '{"payment_id", "resumed"}',
        f"{PAYMENT}::test_the_same_request_has_the_same_fingerprint",
    ),
    Bug(
        "failure may become a success",
        "domain/payment.py",
        "PaymentStatus.FAILED: frozenset(),",
        "PaymentStatus.FAILED: frozenset({PaymentStatus.SUCCEEDED}),",
        PAYMENT,
    ),
    Bug(
        "success counts as told before it is",
        "domain/payment.py",
        '"announcement": Announcement.DUE,',
        '"announcement": Announcement.MADE,',
        SAGA,
    ),
    Bug(
        "success that may be undone is answered as such",
        "domain/payment.py",
        "        if self.is_settled:\n            return self\n",
        "        if self.is_final:\n            return self\n",
        HTTP,
    ),
    Bug(
        "resumed payment counts as a new one",
        "domain/payment.py",
        "resumed=True,",
        "resumed=False,",
        RECONCILIATION,
    ),
    Bug(
        "retryable code marked non-retryable",
        "domain/errors.py",
        "ErrorCode.GATEWAY_UNAVAILABLE: _UNAVAILABLE,",
        "ErrorCode.GATEWAY_UNAVAILABLE: _REFUSED,",
        POLICIES,
    ),
    Bug(
        "decline is tried again",
        "domain/errors.py",
        "ErrorCode.CARD_DECLINED: Rule(False, ",
        "ErrorCode.CARD_DECLINED: Rule(True, ",
        ERRORS,
    ),
    Bug(
        "record refused is tried again",
        "domain/errors.py",
        "ErrorCode.RECORD_REFUSED: _REFUSED,",
        "ErrorCode.RECORD_REFUSED: _UNAVAILABLE,",
        ERRORS,
    ),
)

WORKFLOWS = (
    Bug(
        "gateway key is random",
        "workflows/payment.py",
        "request = self._instruction.charge_request\n",
        'key = {"key": str(workflow.uuid4())}\n'
        "        request = self._instruction.charge_request.model_copy(update=key)\n",
        SAGA,
    ),
    Bug(
        "no refund is registered",
        "workflows/payment.py",
        "        self._compensations.add(self._refund)\n        self._charge = ",
        "        self._charge = ",
        SAGA,
    ),
    Bug(
        "failure undoes nothing",
        "workflows/payment.py",
        "        await self._compensations.unwind()\n",
        "",
        SAGA,
    ),
    Bug(
        "charge is sent again after its key is forgotten",
        "workflows/payment.py",
        "            self._turn_back_if_too_old()\n",
        "",
        RECONCILIATION,
    ),
    Bug(
        "resumed payment gives its order up when the database is down",
        "workflows/payment.py",
        'workflow.patched("resumed-payments-claim-first")',
        "False",
        RECONCILIATION,
    ),
    Bug(
        "resumed payment forgets the refund",
        "workflows/payment.py",
        "        self._compensations.add(self._refund)\n        if workflow",
        "        if workflow",
        RECONCILIATION,
    ),
    Bug(
        "only a charge of this run is refunded",
        "workflows/payment.py",
        "if self._charge is not None and self._charge.state is not ChargeState.CAPTURED:",
        "if self._charge is None or self._charge.state is not ChargeState.CAPTURED:",
        RECONCILIATION,
    ),
    Bug(
        "refunds while the outcome is unknown",
        "workflows/payment.py",
        "            charge = await self._until_done(self._settle_charge)\n"
        "            return charge.explained_by(error)\n",
        "            raise error from None\n",
        SAGA,
    ),
    Bug(
        "unknown outcome is given up",
        "workflows/payment.py",
        "await self._until_done(self._settle_charge)",
        "await self._settle_charge()",
        SAGA,
    ),
    Bug(
        "void does not say why",
        "workflows/payment.py",
        "return charge.explained_by(error)",
        "return charge",
        SAGA,
    ),
    Bug(
        "refund is given up",
        "workflows/payment.py",
        "await self._until_done(self._give_back)",
        "await self._give_back()",
        SAGA,
    ),
    Bug(
        "record of a failure is given up",
        "workflows/payment.py",
        "await self._until_done(self._record_failure)",
        "await self._record_failure()",
        SAGA,
    ),
    Bug(
        "refund goes to the charge's key",
        "workflows/payment.py",
        "key=names.refund_key(payment_id),",
        "key=names.charge_key(payment_id),",
        SAGA,
    ),
    Bug(
        "publishes before it records",
        "workflows/payment.py",
        '        with self._view.step("record succeeded"):\n',
        "        await self._publish_success()\n"
        '        with self._view.step("record succeeded"):\n',
        SAGA,
    ),
    Bug(
        "failure is published before it is recorded",
        "workflows/payment.py",
        "        await self._until_done(self._record_failure)\n"
        "        await self._finish_announcing()\n",
        "        await self._finish_announcing()\n"
        "        await self._until_done(self._record_failure)\n",
        SAGA,
    ),
    Bug(
        "failure is recorded and never told",
        "workflows/payment.py",
        "self._record_failure)\n        await self._finish_announcing()\n",
        "self._record_failure)\n",
        SAGA,
    ),
    Bug(
        "catch-all turns errors into success",
        "workflows/payment.py",
        "            await self._compensate(error)\n",
        "            self._payment = self._payment.failed(error, workflow.now()).succeeded("
        "at=workflow.now())\n",
        SAGA,
    ),
    Bug(
        "order paid before is charged again",
        "workflows/payment.py",
        "        self._payment = _value(claimed)\n",
        "        _value(claimed)\n",
        SAGA,
    ),
    Bug(
        "success that nobody was told of stays untold",
        "workflows/payment.py",
        "                await self._finish_announcing()\n            else:",
        "                pass\n            else:",
        SAGA,
    ),
    Bug(
        "payment-failed for an unverified order",
        "workflows/payment.py",
        "Announcement.DUE if self._order_is_verified else Announcement.NONE",
        "Announcement.DUE",
        SAGA,
    ),
    Bug(
        "order counts as verified before it is",
        "workflows/payment.py",
        "        verify_order(_value(order), self._instruction)\n"
        "        self._order_is_verified = True\n",
        "        self._order_is_verified = True\n"
        "        verify_order(_value(order), self._instruction)\n",
        SAGA,
    ),
    Bug(
        "order is not verified",
        "workflows/payment.py",
        "verify_order(_value(order), self._instruction)",
        "_value(order)",
        SAGA,
    ),
    Bug(
        "failure frees a seat that is sold",
        "workflows/payment.py",
        "if reservation is None or not reservation.may_be_released(self._instruction.order_id):",
        "if reservation is None:",
        SAGA,
    ),
    Bug(
        "reservation time budget ignored",
        "workflows/payment.py",
        "return min(CHARGE_BUDGET, expires_at - workflow.now()) if expires_at else CHARGE_BUDGET",
        "return CHARGE_BUDGET if expires_at else CHARGE_BUDGET",
        SAGA,
    ),
    Bug(
        "capture for a lapsed reservation is kept",
        "workflows/payment.py",
        "self._reservation.lapses_before(workflow.now())",
        "self._reservation.lapses_before(self._instruction.requested_at)",
        SAGA,
    ),
    Bug(
        "cancellation skips the refund",
        "workflows/payment.py",
        "return await uninterrupted(self._pay())",
        "return await self._pay()",
        CANCELLATION,
    ),
    Bug(
        "cancelled payment is charged",
        "workflows/payment.py",
        "        self._turn_back_if_cancelled()\n        self._compensations.add(",
        "        self._compensations.add(",
        CANCELLATION,
    ),
    Bug(
        "cancellation during the charge is overlooked",
        "workflows/payment.py",
        "            )\n        self._turn_back_if_cancelled()\n",
        "            )\n",
        CANCELLATION,
    ),
    Bug(
        "refusal counts though an earlier round may have arrived",
        "workflows/compensation.py",
        "refusals if in_any_round else frozenset()",
        "refusals",
        f"{SAGA}::test_event_refused_in_a_later_round_undoes_nothing",
    ),
    Bug(
        "operators are not called",
        "workflows/compensation.py",
        "            on_failure(error)\n",
        "",
        SAGA,
    ),
    Bug(
        "first local failure is final",
        "workflows/steps.py",
        "        if not RULES[failure.code].retryable:\n            raise failure from error\n",
        "        raise failure from error\n",
        SAGA,
    ),
    Bug(
        "local refusal is tried again",
        "workflows/steps.py",
        "        if not RULES[failure.code].retryable:\n            raise failure from error\n",
        "        del failure\n",
        SAGA,
    ),
    Bug(
        "steps are tried three times",
        "workflows/policies.py",
        "maximum_interval=maximum)",
        "maximum_interval=maximum, maximum_attempts=3)",
        POLICIES,
    ),
    Bug(
        "dead worker is not noticed",
        "workflows/policies.py",
        "pauses=(0.2, 5), heartbeat=5",
        "pauses=(0.2, 5)",
        POLICIES,
    ),
    Bug(
        "hold shorter than a charge is taken",
        "workflows/policies.py",
        "CHARGE_TIME = _seconds(20)",
        "CHARGE_TIME = _seconds(2)",
        POLICIES,
    ),
    Bug(
        "gateway is waited for beyond the step's time",
        "workflows/worker.py",
        "GATEWAY_SECONDS = 8",
        "GATEWAY_SECONDS = 30",
        POLICIES,
    ),
    Bug(
        "worker grace 0",
        "workflows/worker.py",
        "GRACE = timedelta(seconds=25)",
        "GRACE = timedelta(0)",
        POLICIES,
    ),
    Bug(
        "worker knows no grace",
        "workflows/worker.py",
        '            "graceful_shutdown_timeout": GRACE,\n',
        "",
        POLICIES,
    ),
    Bug(
        "error codes are lost on the way",
        "workflows/worker.py",
        '            "interceptors": [PaymentErrorInterceptor()],\n',
        "",
        SAGA,
    ),
    Bug(
        "workflow id is the payment's",
        "workflows/start.py",
        "id=names.workflow_id(instruction.order_id),",
        "id=names.workflow_id(instruction.payment_id),",
        RECONCILIATION,
    ),
    Bug(
        "running payment counts as taken up",
        "workflows/start.py",
        """payment.to_resume())
        except WorkflowAlreadyStartedError:
            return False""",
        """payment.to_resume())
        except WorkflowAlreadyStartedError:
            return True""",
        RECONCILIATION,
    ),
    Bug(
        "young payments are taken up",
        "workflows/reconciliation.py",
        "workflow.now() - ABANDONED_AFTER,",
        "workflow.now(),",
        RECONCILIATION,
    ),
)

ACTIVITIES = (
    Bug(
        "lookup is skipped on the second try",
        "activities/charges.py",
        "if activity.info().attempt > 1:",
        "if activity.info().attempt > 2:",
        CHARGES,
    ),
    Bug(
        "no heartbeat",
        "activities/charges.py",
        "            activity.heartbeat()\n",
        "",
        CHARGES,
    ),
    Bug(
        "unseen charge is left open",
        "activities/charges.py",
        "return await self._gateway.void_charge(key)",
        "return await self._gateway.find_charge(key) or Charge(key=key, state=ChargeState.VOIDED)",
        f"{SAGA}::test_charge_refused_by_the_gateway_is_settled_first",
    ),
    Bug(
        "void is not asked before refund",
        "activities/charges.py",
        "charge = await self._gateway.void_charge(request.charge_key)",
        "charge = await self._gateway.find_charge(request.charge_key) or Charge("
        "key=request.charge_key, state=ChargeState.VOIDED)",
        CHARGES,
    ),
    Bug(
        "declined charge is refunded",
        "activities/charges.py",
        "        if charge.state is not ChargeState.CAPTURED:\n            return charge\n",
        "",
        CHARGES,
    ),
    Bug(
        "late refusal undoes an event that may have arrived",
        "activities/events.py",
        " and activity.info().attempt == 1",
        "",
        SAGA,
    ),
    Bug(
        "event that may have arrived is not noted",
        "activities/events.py",
        "            await self._note(event, Announcement.BEGUN)\n",
        "",
        SAGA,
    ),
    Bug(
        "event that has arrived is not noted",
        "activities/events.py",
        "        await self._note(event, Announcement.MADE)\n",
        "",
        SAGA,
    ),
    Bug(
        "event is noted before it is published",
        "activities/events.py",
        "            await self._publisher.publish(event)\n",
        "            await self._note(event, Announcement.MADE)\n"
        "            await self._publisher.publish(event)\n",
        SAGA,
    ),
    Bug(
        "final error is tried again",
        "activities/failures.py",
        "non_retryable=not retryable,",
        "non_retryable=False,",
        FAILURES,
    ),
    Bug(
        "timeout counts as a refusal",
        "activities/failures.py",
        'return PaymentError(unavailable, "No answer in time.")',
        'return PaymentError(ErrorCode.PROCESSOR_ERROR, "No answer in time.")',
        FAILURES,
    ),
    Bug(
        "reconciler takes up nothing",
        "activities/reconciliation.py",
        "self._payments.unfinished_since(unfinished_since, AT_ONCE)",
        "self._payments.unfinished_since(unfinished_since, 0)",
        RECONCILIATION,
    ),
)

ADAPTER = (
    Bug(
        "5xx counts as decline",
        "activities/adapters/http.py",
        "if answer.is_server_error or answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:",
        "if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:",
        ADAPTERS,
    ),
    Bug(
        "neighbours are waited for without end",
        "activities/adapters/http.py",
        "asyncio.timeout(self._seconds)",
        "asyncio.timeout(None)",
        f"{ADAPTERS}::test_no_usable_answer_means_unavailable[silence]",
    ),
    Bug(
        "redirects are followed",
        "activities/adapters/http.py",
        "follow_redirects=False",
        "follow_redirects=True",
        ADAPTERS,
    ),
    Bug(
        "charge is sent without its key",
        "activities/adapters/gateway.py",
        "body=body, key=request.key)\n        if status not in CHARGE_ANSWERED:",
        "body=body)\n        if status not in CHARGE_ANSWERED:",
        ADAPTERS,
    ),
    Bug(
        "404 of look-up counts as declined",
        "activities/adapters/gateway.py",
        "return None if status == HTTPStatus.NOT_FOUND else self._charge(answer, key)",
        "return (\n"
        "            Charge(key=key, state=ChargeState.DECLINED)\n"
        "            if status == HTTPStatus.NOT_FOUND\n"
        "            else self._charge(answer, key)\n"
        "        )",
        ADAPTERS,
    ),
    Bug(
        "unreadable answer counts as a refusal",
        "activities/adapters/gateway.py",
        'raise self._neighbour.unavailable("its answer is not a charge") from error',
        'raise PaymentError(ErrorCode.PROCESSOR_ERROR, "Its answer is no charge.") from error',
        ADAPTERS,
    ),
    Bug(
        "another key's charge is trusted",
        "activities/adapters/gateway.py",
        "        if charge.key != key:\n"
        '            raise self._neighbour.unavailable("its answer is about another charge")\n',
        "",
        ADAPTERS,
    ),
    Bug(
        "refused refund counts as done",
        "activities/adapters/gateway.py",
        "if status not in {HTTPStatus.OK, HTTPStatus.CREATED}:",
        "if status == HTTPStatus.NOT_FOUND:",
        ADAPTERS,
    ),
    Bug(
        "order without a state counts as pending",
        "activities/adapters/ordering.py",
        "answer.state or (PENDING if self._accept_stateless else None)",
        "answer.state or PENDING",
        ADAPTERS,
    ),
    Bug(
        "total of an order is a float",
        "activities/adapters/ordering.py",
        "    total: Decimal = Field(\n        max_digits=30, ",
        "    total: float = Field(\n        ",
        ADAPTERS,
    ),
    Bug(
        "another reservation's answer is trusted",
        "activities/adapters/inventory.py",
        "        if answer.id not in {None, reservation_id}:\n"
        "            raise self._neighbour.unavailable("
        '"its answer is about another reservation")\n',
        "",
        ADAPTERS,
    ),
    Bug(
        "kafka acks=1",
        "activities/adapters/kafka.py",
        'acks="all", enable_idempotence=True',
        "acks=1, enable_idempotence=False",
        KAFKA,
    ),
    Bug(
        "producer is kept after a timeout",
        "activities/adapters/kafka.py",
        "            await self._discard(producer)\n            if missing:",
        "            if missing:",
        KAFKA,
    ),
    Bug(
        "silent broker counts as a missing topic",
        "activities/adapters/kafka.py",
        "    except (KafkaError, TimeoutError):\n        return False",
        "    except (KafkaError, TimeoutError):\n        return True",
        KAFKA,
    ),
    Bug(
        "events have no partition key",
        "activities/adapters/kafka.py",
        "                    key=event.key.encode(),\n",
        "",
        KAFKA,
    ),
    Bug(
        "events do not carry their id",
        "activities/adapters/kafka.py",
        '        ("ce_id", str(event.id).encode()),\n',
        "",
        EVENTS,
    ),
)

DB = (
    Bug(
        "a migration waits for a table as long as it likes",
        "db/engine.py",
        '"lock_timeout": str(1000 * LOCK_SECONDS)',
        '"lock_timeout": "0"',
        f"{MIGRATIONS}::test_a_table_in_use_is_tried_again_and_writers_go_first",
    ),
    Bug(
        "a migration gives up when a table is in use",
        "db/migrate.py",
        'LOCK_FAILURES = frozenset({"55P03", "40P01"})',
        "LOCK_FAILURES = frozenset[str]()",
        f"{MIGRATIONS}::test_a_table_in_use_is_tried_again_and_writers_go_first",
    ),
    Bug(
        "all migrations are one transaction",
        "db/migrations/env.py",
        "transaction_per_migration=True",
        "transaction_per_migration=False",
        f"{MIGRATIONS}::test_an_index_that_a_failed_migration_left_is_made_again",
    ),
    Bug(
        "who waits for its turn to migrate holds a snapshot",
        "db/migrate.py",
        "        await connection.commit()\n        await asyncio.sleep",
        "        await asyncio.sleep",
        f"{MIGRATIONS}::test_a_process_waits_for_its_turn_however_long_another_migrates",
    ),
    Bug(
        "several processes migrate at once",
        "db/migrate.py",
        "        await _wait_for_turn(connection)\n",
        "",
        f"{MIGRATIONS}::test_a_process_waits_for_its_turn_however_long_another_migrates",
    ),
    Bug(
        "an index locks its table while it is built",
        "db/online.py",
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS",
        "CREATE INDEX IF NOT EXISTS",
        f"{MIGRATIONS}::test_an_index_that_a_failed_migration_left_is_made_again",
    ),
    Bug(
        "an index that cannot be used is kept",
        "db/online.py",
        "        if found.scalar():",
        "        if False:",
        f"{MIGRATIONS}::test_an_index_that_a_failed_migration_left_is_made_again",
    ),
    Bug(
        "the wait for writers that an index needs is cut short",
        "db/online.py",
        'op.execute("SET lock_timeout = 0")',
        'op.execute("SELECT 1")',
        f"{MIGRATIONS}::test_an_index_waits_for_writers_as_long_as_it_takes",
    ),
    Bug(
        "only the first rows are updated in batches",
        "db/online.py",
        '        op.get_bind().execute(text(change), {"first": first})\n',
        "",
        f"{MIGRATIONS}::test_writers_never_wait_longer_than_a_migration_may",
    ),
    Bug(
        "no unique index",
        "db/migrations/versions/0001_payments.py",
        "CREATE UNIQUE INDEX",
        "CREATE INDEX",
        f"{SCHEMA}::test_second_live_payment_is_refused",
    ),
    Bug(
        "transitions are not guarded",
        "db/migrations/versions/0001_payments.py",
        "        ON_UPDATE,\n",
        "",
        f"{SCHEMA}::test_illegal_transition_is_refused",
    ),
    Bug(
        "success that was told may become a failure",
        "db/migrations/versions/0004_announcements.py",
        "(NEW.status = 'pending' OR OLD.announcement IN ('begun', 'made'))",
        "NEW.status = 'pending'",
        f"{STORE}::test_success_that_may_have_been_told_stands",
    ),
    Bug(
        "record failed overwrites success",
        "db/payments.py",
        'await self._confirm(payment, "The payment\'s success has been told; it cannot fail.")',
        "pass",
        f"{STORE}::test_success_that_may_have_been_told_stands",
    ),
    Bug(
        "second failure overwrites the first",
        "db/payments.py",
        "where=payments.c.status.in_(_LIVE)\n    & payments",
        "where=payments",
        f"{STORE}::test_first_failure_is_the_one_that_stays",
    ),
    Bug(
        "success of a failed payment is ignored",
        "db/payments.py",
        'await self._confirm(payment, "The payment is no longer pending; it cannot succeed.")',
        "pass",
        f"{STORE}::test_success_of_what_is_not_pending_is_refused",
    ),
    Bug(
        "order held by another payment is claimed",
        "db/payments.py",
        "if holder.id != payment.id and not holder.is_final:",
        "if holder.id == payment.id and not holder.is_final:",
        f"{STORE}::test_only_one_of_many_claims_an_order",
    ),
    Bug(
        "announcement goes back",
        "db/payments.py",
        'bindparam("payment_id"), payments.c.announcement != Announcement.MADE)',
        'bindparam("payment_id"))',
        f"{STORE}::test_announcement_does_not_go_back",
    ),
    Bug(
        "untold payments are not looked for",
        "db/payments.py",
        "(payments.c.status == PaymentStatus.PENDING) | payments.c.announcement.in_(UNANNOUNCED),",
        "payments.c.status == PaymentStatus.PENDING,",
        f"{STORE}::test_unfinished_payments_are_found_by_their_age",
    ),
    Bug(
        "ids are answered as the driver made them",
        "db/statements.py",
        "UUID(int=value.int) if isinstance(value, UUID) else value",
        "value",
        f"{STORE}::test_key_comes_back_as_it_was",
    ),
    Bug(
        "statement timeout removed",
        "db/engine.py",
        '                "statement_timeout": str(1000 * STATEMENT_SECONDS),\n',
        "",
        f"{STORE}::test_every_wait_has_an_end",
    ),
    Bug(
        "deadlock counts as a refusal",
        "db/failures.py",
        '("22", "23")',
        '("22", "23", "40")',
        DATABASE_FAILURES,
    ),
    Bug(
        "lost connection is a bug",
        "db/failures.py",
        "except (SQLAlchemyError, OSError, TimeoutError) as error:",
        "except SQLAlchemyError as error:",
        DATABASE_FAILURES,
    ),
)

API = (
    Bug(
        "pages are chained by time alone",
        "db/search.py",
        "yield tuple_(*wanted.after) > _PLACE",
        "yield wanted.after.created_at > _columns.created_at",
        "tests/integration/test_search.py",
    ),
    Bug(
        "customers list each other's payments",
        "api/routes.py",
        "query.to_search(caller.customer_id)",
        "query.to_search(None)",
        IDENTITY,
    ),
    Bug(
        "expired tokens are accepted",
        "api/identity.py",
        "LEEWAY_SECONDS = 30",
        "LEEWAY_SECONDS = 3600",
        IDENTITY,
    ),
    Bug(
        "tokens for anybody else are accepted",
        "api/identity.py",
        'options={"require": REQUIRED}',
        'options={"require": REQUIRED, "verify_aud": False}',
        IDENTITY,
    ),
    Bug(
        "tokens need not expire",
        "api/identity.py",
        'REQUIRED = ["exp", ',
        "REQUIRED = [",
        IDENTITY,
    ),
    Bug(
        "scopes are not checked",
        "api/dependencies.py",
        "if scope not in caller.scopes:",
        "if not caller.scopes:",
        IDENTITY,
    ),
    Bug(
        "customers read each other's payments",
        "api/payments.py",
        "if payment is None or not caller.acts_for(payment.customer_id):",
        "if payment is None:",
        IDENTITY,
    ),
    Bug(
        "customers pay with each other's name",
        "api/routes.py",
        "if not caller.acts_for(body.customer_id):",
        "if caller.customer_id == body.order_id:",
        IDENTITY,
    ),
    Bug(
        "keys are forgotten while the issuer is down",
        "api/identity.py",
        "    async def _ask(self) -> None:\n",
        "    async def _ask(self) -> None:\n        self._keys = {}\n",
        IDENTITY,
    ),
    Bug(
        "bodies are read to their end",
        "api/exact_route.py",
        "if received > MOST_BODY_BYTES:",
        "if received > 1000 * MOST_BODY_BYTES:",
        "tests/unit/test_hostile_requests.py",
    ),
    Bug(
        "idempotency key not scoped to the caller",
        "api/payments.py",
        'caller = f"customer:{instruction.customer_id}"',
        'caller = "customer"',
        IDEMPOTENCY,
    ),
    Bug(
        "key is taken for another request",
        "api/payments.py",
        "if claim.fingerprint != instruction.fingerprint:",
        "if claim.key != key:",
        IDEMPOTENCY,
    ),
    Bug(
        "payment taken up by its key is as young as the request",
        "api/payments.py",
        "instruction = earlier.to_resume()",
        "instruction = _taken_up(instruction, claim.payment_id)",
        IDEMPOTENCY,
    ),
    Bug(
        "repeated request is a new payment",
        "api/payments.py",
        "    if earlier is None:\n"
        "        instruction = _taken_up(instruction, claim.payment_id)\n    elif",
        "    if",
        IDEMPOTENCY,
    ),
    Bug(
        "5xx answers are replayed for a key",
        "api/payments.py",
        "return STATUSES[code] < HTTPStatus.INTERNAL_SERVER_ERROR",
        "return True",
        IDEMPOTENCY,
    ),
    Bug(
        "recorded success is answered before it is told",
        "api/payments.py",
        "if live is not None and live.is_settled:",
        "if live is not None and live.is_final:",
        HTTP,
    ),
    Bug(
        "first of two keys is taken",
        "api/idempotency.py",
        "if len(values) > 1 or ",
        "if ",
        IDEMPOTENCY,
    ),
    Bug(
        "stranger is shown the payment",
        "api/routes.py",
        "    if payment.customer_id != asked_by:\n",
        "    if payment.customer_id is None:\n",
        HTTP,
    ),
    Bug(
        "nobody is limited",
        "api/exact_route.py",
        "            await limit_rate(request)\n",
        "",
        HTTP,
    ),
    Bug(
        "a place is taken for ever",
        "api/places.py",
        "            self._taken -= 1\n",
        "            pass\n",
        PLACES,
    ),
    Bug(
        "slow payments take no room away",
        "api/places.py",
        "if seconds > self._slow_seconds:",
        "if seconds > 2 * self._slow_seconds:",
        PLACES,
    ),
    Bug(
        "places grow without need",
        "api/places.py",
        "elif self._taken * 2 > self._limit:",
        "else:",
        PLACES,
    ),
    Bug(
        "every proxy is trusted",
        "api/main.py",
        "forwarded_allow_ips=settings.trusted_proxies,",
        'forwarded_allow_ips="*",',
        "tests/integration/test_rate_limit.py",
    ),
    Bug(
        "a Location that leads nowhere",
        "api/routes.py",
        "    if not outcome.is_recorded:\n",
        "    if not outcome.payment:\n",
        HTTP,
    ),
    Bug(
        "a refund's Location that leads nowhere",
        "api/refund_routes.py",
        "    if not outcome.is_recorded:\n",
        "    if not outcome.refund:\n",
        REFUND_HTTP,
    ),
    Bug(
        "cancelling what has just ended is an outage",
        "api/payments.py",
        "_refuse_if_ended(await parts.payments.find(payment.id))  # meanwhile",
        "pass",
        HTTP,
    ),
    Bug(
        "queries are read however long they are",
        "api/exact_route.py",
        "> MOST_QUERY_BYTES:",
        "< 0:",
        HOSTILE,
    ),
    Bug(
        "who is turned away is read first",
        "api/exact_route.py",
        "            if takes_place:\n",
        "            if False:\n",
        HOSTILE,
    ),
    Bug(
        "what has changed is not sent",
        "api/exact_route.py",
        'if tag not in request.headers.get("if-none-match", ""):',
        'if "if-none-match" not in request.headers:',
        HTTP,
    ),
    Bug(
        "payment id is the order's",
        "api/schemas.py",
        "payment_id=uuid4(),",
        "payment_id=self.order_id,",
        SCHEMAS,
    ),
    Bug(
        "amount is read in dollars whatever the currency",
        "api/schemas.py",
        'fields.data.get("currency", DEFAULT_CURRENCY)',
        "DEFAULT_CURRENCY",
        SCHEMAS,
    ),
    Bug(
        "503 without Retry-After",
        "api/errors.py",
        "if status is HTTPStatus.SERVICE_UNAVAILABLE:",
        "if status is HTTPStatus.BAD_GATEWAY:",
        HTTP,
    ),
    Bug(
        "redis failure is a 500",
        "api/redis.py",
        "except (RedisError, OSError, TimeoutError):",
        "except TimeoutError:",
        REDIS,
    ),
    Bug(
        "dead redis is asked every time",
        "api/redis.py",
        "            self._paused_until = time.monotonic() + PAUSE_SECONDS\n",
        "",
        REDIS,
    ),
    Bug(
        "without redis nobody is limited",
        "api/redis.py",
        "return shared or await self._count(self._local, caller)",
        "return shared or Allowance(False, 1, 1, 1, 1)",
        REDIS,
    ),
    Bug(
        "redis answer is trusted without id check",
        "api/redis.py",
        "return payment if payment and payment.id == payment_id else None",
        "return payment",
        REDIS,
    ),
    Bug(
        "different payment is joined",
        "api/sagas.py",
        "if memo[names.MEMO_FINGERPRINT] != instruction.fingerprint:",
        "if names.MEMO_FINGERPRINT not in memo:",
        f"{REPETITION}::test_running_payment_is_joined_by_the_same_request_only",
    ),
    Bug(
        "lost workflow is a 500",
        "api/sagas.py",
        "except (TimeoutError, RPCError, WorkflowFailureError):",
        "except (TimeoutError, RPCError):",
        RECONCILIATION,
    ),
)

REFUNDING = (
    Bug(
        "refunds pass what was captured",
        "db/migrations/versions/0006_refunds.py",
        "IF captured IS NULL OR refunded + NEW.amount_minor > captured THEN",
        "IF captured IS NULL OR NEW.amount_minor > captured THEN",
        f"{REFUNDS}::test_database_gives_no_more_back_than_was_captured",
    ),
    Bug(
        "refunds are counted without a lock",
        "db/migrations/versions/0006_refunds.py",
        "\n        FOR NO KEY UPDATE;",
        ";",
        f"{REFUNDS}::test_database_counts_refunds_of_a_payment_one_after_the_other",
    ),
    Bug(
        "failures are refunded",
        "db/migrations/versions/0006_refunds.py",
        "WHERE id = NEW.payment_id AND status = 'succeeded' AND announcement <> 'due'",
        "WHERE id = NEW.payment_id",
        f"{REFUNDS}::test_database_gives_nothing_back_of_a_failure",
    ),
    Bug(
        "refund changes after its end",
        "db/migrations/versions/0006_refunds.py",
        "(OLD.status <> 'pending' AND OLD.status <> NEW.status)",
        "false",
        f"{REFUNDS}::test_database_changes_no_refund_that_has_ended",
    ),
    Bug(
        "refund is sent without a look-up",
        "activities/refunds.py",
        "if not await self._gateway.is_refunded(refund.request.key):",
        "if refund.request.key:",
        REFUND_SAGA,
    ),
    Bug(
        "refund is told before it is made",
        "workflows/refund.py",
        "            self._refund = await self._settled()\n",
        "            self._refund = self._refund.succeeded(at=workflow.now())\n",
        REFUND_SAGA,
    ),
    Bug(
        "refused refund keeps its amount",
        "workflows/refund.py",
        "            await self._until_done(self._record_ended)\n",
        "            if self._refund.status is RefundStatus.SUCCEEDED:\n"
        "                await self._until_done(self._record_ended)\n",
        REFUND_SAGA,
    ),
    Bug(
        "refused event ends a refund untold",
        "activities/refunds.py",
        "raise PaymentError(ErrorCode.EVENTS_UNAVAILABLE, error.message) from error",
        "return",
        REFUND_SAGA,
    ),
    Bug(
        "cancellation ends a refund",
        "workflows/refund.py",
        "return await uninterrupted(self._give_back())",
        "return await self._give_back()",
        REFUND_SAGA,
    ),
    Bug(
        "refund that runs already is made twice",
        "workflows/start.py",
        "id=names.refund_workflow_id(refund.id),",
        'id=f"{refund.id}-{id(refund)}-{id(object())}",',
        REFUND_SAGA,
    ),
    Bug(
        "lost refunds stay lost",
        "activities/reconciliation.py",
        "if await self._sagas.resume_refund(refund):",
        "if refund.is_announced:",
        RECONCILIATION,
    ),
    Bug(
        "refund id does not depend on the key",
        "domain/names.py",
        'uuid5(_REFUND_NAMESPACE, f"{payment_id}/{key}")',
        "uuid5(_REFUND_NAMESPACE, str(payment_id))",
        REFUND_SAGA,
    ),
    Bug(
        "a refund needs no key",
        "api/refund_routes.py",
        "    if key is None:\n        raise",
        '    if key is None:\n        return "key"\n    if not key:\n        raise',
        REFUND_HTTP,
    ),
    Bug(
        "one key refunds two amounts",
        "api/refunds.py",
        "if refund.amount != asked.amount:",
        "if refund.id != asked.id:",
        REFUND_HTTP,
    ),
    Bug(
        "success that may be undone is refunded",
        "domain/refund.py",
        "if payment.as_answered.status is not PaymentStatus.SUCCEEDED:",
        "if payment.status is not PaymentStatus.SUCCEEDED:",
        REFUND_HTTP,
    ),
    Bug(
        "refunds of other payments are shown",
        "api/refund_routes.py",
        "if found is None or found.payment_id != payment.id:",
        "if found is None:",
        REFUND_HTTP,
    ),
)

CONFIGURATION = (
    Bug(
        "production judges no setting",
        "bootstrap/settings.py",
        'if info.data.get("environment") == "production":',
        'if info.data.get("environment") == "prod":',
        PRODUCTION,
    ),
    Bug(
        "defaults are not judged",
        "bootstrap/settings.py",
        'frozen=True, extra="ignore"',
        'frozen=True, extra="ignore", validate_default=False',
        PRODUCTION,
    ),
    Bug(
        "every name that begins like loopback is local",
        "bootstrap/production.py",
        "    try:\n        return ip_address(name).is_loopback",
        '    try:\n        return name.startswith("127.") or ip_address(name).is_loopback',
        PRODUCTION,
    ),
    Bug(
        "one local host makes all of them local",
        "bootstrap/production.py",
        'not all(_is_local(host["host"]) for host in hosts)',
        'not any(_is_local(host["host"]) for host in hosts)',
        PRODUCTION,
    ),
    Bug(
        "encryption that is only preferred",
        "bootstrap/production.py",
        'ENCRYPTED_MODES = {"require"',
        'ENCRYPTED_MODES = {"prefer", "require"',
        PRODUCTION,
    ),
    Bug(
        "encoded passwords are not recognised",
        "bootstrap/production.py",
        'if unquote(password or "") in',
        'if (password or "") in',
        PRODUCTION,
    ),
    Bug(
        "a password in plaintext counts as encryption",
        "bootstrap/production.py",
        'ENCRYPTED_PROTOCOLS = {"SSL", "SASL_SSL"}',
        'ENCRYPTED_PROTOCOLS = {"SSL", "SASL_SSL", "SASL_PLAINTEXT"}',
        PRODUCTION,
    ),
    Bug(
        "URLs of HTTP are judged by name only",
        "bootstrap/production.py",
        "    HttpUrl: _http,\n",
        '    "ordering_url": _http,\n    "inventory_url": _http,\n    "gateway_url": _http,\n',
        PRODUCTION,
    ),
    Bug(
        "production trusts every caller",
        "bootstrap/production.py",
        '    "auth_issuer": _issuer,\n',
        "",
        PRODUCTION,
    ),
    Bug(
        "production lets in every origin",
        "bootstrap/production.py",
        'return scheme == "https" or (',
        'return origin == "*" or scheme == "https" or (',
        PRODUCTION,
    ),
    Bug(
        "production serves its documentation",
        "api/main.py",
        'if settings.environment == "production":',
        'if settings.environment == "none":',
        PRODUCTION,
    ),
    Bug(
        "wrong values are shown",
        "bootstrap/explanation.py",
        'return "is a number" if _is_number(text) else "is text"',
        'return f"is {text}"',
        SETTINGS,
    ),
    Bug(
        "Kafka's password is shown",
        "bootstrap/settings.py",
        "kafka_sasl_password: SecretStr | None",
        "kafka_sasl_password: str | None",
        SETTINGS,
    ),
    Bug(
        "Kafka's certificate is not checked",
        "bootstrap/kafka.py",
        "return ssl.create_default_context(cafile=authorities)",
        "return ssl._create_unverified_context(cafile=authorities)",
        f"{ENCRYPTION}::test_kafka_is_not_used",
    ),
    Bug(
        "PostgreSQL's parameters are not read",
        "db/engine.py",
        '"dsn": database_url,',
        '"dsn": database_url.partition("?")[0],',
        f"{ENCRYPTION}::test_postgresql",
    ),
)

BUGS = (*DOMAIN, *WORKFLOWS, *ACTIVITIES, *ADAPTER, *DB, *API, *REFUNDING, *CONFIGURATION)
