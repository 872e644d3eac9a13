    CREATE UNIQUE INDEX patients_in_order ON patients (name, patient_id);
