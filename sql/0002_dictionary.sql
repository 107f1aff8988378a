-- 0002: the shipped dictionary for a CRM. Changed afterwards by PUT /v1/fields and /v1/purposes.
SET search_path = vault;

INSERT INTO field (number, name, record, version, definition) VALUES
(1,  'email',       false, 1, '{"type":"email","class":"contact","normaliser":"email","index":true,"masks":[{"name":"email","kind":"email"}]}'),
(2,  'phone',       false, 1, '{"type":"phone","class":"contact","normaliser":"phone","index":true,"masks":[{"name":"phone","kind":"phone"}]}'),
(3,  'address',     false, 1, '{"type":"address","class":"contact","masks":[{"name":"city","kind":"city"}]}'),
(4,  'wechat',      false, 1, '{"type":"text","class":"contact","normaliser":"text","index":true,"masks":[{"name":"keep","kind":"keep","keep":[1,1]}]}'),
(5,  'name',        false, 1, '{"type":"name","class":"identity","normaliser":"text","masks":[{"name":"name","kind":"name"}]}'),
(6,  'gender',      false, 1, '{"type":"gender","class":"identity"}'),
(7,  'birth_date',  false, 1, '{"type":"birth_date","class":"identity","masks":[{"name":"decade","kind":"decade"},{"name":"year","kind":"year"}]}'),
(8,  'resident_id', false, 1, '{"type":"resident_id","class":"identity","normaliser":"alnum","index":true,"masks":[{"name":"keep","kind":"keep","keep":[3,4]}]}'),
(9,  'passport',    false, 1, '{"type":"passport","class":"identity","normaliser":"alnum","index":true,"masks":[{"name":"keep","kind":"keep","keep":[1,2]}]}'),
(10, 'bank_card',   false, 1, '{"type":"bank_card","class":"financial","normaliser":"alnum","index":true,"masks":[{"name":"keep","kind":"keep","keep":[6,4]}]}'),
(11, 'iban',        false, 1, '{"type":"iban","class":"financial","normaliser":"alnum","index":true,"masks":[{"name":"keep","kind":"keep","keep":[4,4]}]}'),
(12, 'uscc',        false, 1, '{"type":"uscc","class":"financial","normaliser":"alnum","index":true}'),
(13, 'tags',        false, 1, '{"type":"text","class":"behaviour","list":true,"max_length":64}'),
(14, 'notes',       false, 1, '{"type":"text","class":"behaviour","max_length":16384}'),
(15, 'preferences', false, 1, '{"type":"json","class":"behaviour"}'),
(16, 'health_note', false, 1, '{"type":"text","class":"sensitive","max_length":4096}'),
(17, 'order',       true,  1, '{"type":"json","class":"behaviour"}'),
(18, 'complaint',   true,  1, '{"type":"json","class":"behaviour"}'),
(19, 'interaction', true,  1, '{"type":"json","class":"behaviour"}'),
(20, 'survey',      true,  1, '{"type":"json","class":"behaviour"}'),
(21, 'loyalty',     true,  1, '{"type":"json","class":"behaviour"}');
INSERT INTO field_history SELECT number, version, definition, now(), 'migration' FROM field;

INSERT INTO purpose (number, name, version, definition) VALUES
(1,  'onboarding',     1, '{"title":"Opening and keeping a customer account","legal_basis":"contract"}'),
(2,  'support',        1, '{"title":"Answering the customer","legal_basis":"contract"}'),
(3,  'marketing',      1, '{"title":"Campaigns","legal_basis":"consent"}'),
(4,  'segmentation',   1, '{"title":"Grouping customers","legal_basis":"legitimate_interest"}'),
(5,  'loyalty',        1, '{"title":"Loyalty programme","legal_basis":"contract"}'),
(6,  'survey',         1, '{"title":"Surveys","legal_basis":"consent"}'),
(7,  'analytics',      1, '{"title":"Statistics","legal_basis":"legitimate_interest"}'),
(8,  'rights',         1, '{"title":"Requests of data subjects","legal_basis":"legal_obligation"}'),
(9,  'audit',          1, '{"title":"Supervision of access","legal_basis":"legal_obligation"}'),
(10, 'administration', 1, '{"title":"Running the vault","legal_basis":"legitimate_interest"}');
INSERT INTO purpose_history SELECT number, version, definition, now(), 'migration' FROM purpose;
